/* Budgets in a table as large as there may be workers, so one that no worker holds can always be found; of those the fullest goes first, which has
 * the least to remember. */
#include "function_host/budget.h"
#include "function_host/watch.h"

#include <stdio.h>
#include <string.h>

/* Nanoseconds for each that it gains: a twentieth of a processor. */
#define REFILL 20

static int64_t size_ns = 10000000;
static struct budget budgets[WATCH_WORKERS_MAX];
static uint32_t used; /* none lies at or beyond this */

void budget_set_size(int64_t new_size_ns)
{
    size_ns = new_size_ns;
}

static void refill(struct budget *budget, uint64_t now_ns)
{
    uint64_t gained_ns = (now_ns - budget->refilled_at_ns) / REFILL;
    budget->refilled_at_ns += gained_ns * REFILL;
    budget->left_ns = gained_ns < (uint64_t)(size_ns - budget->left_ns) ? budget->left_ns + (int64_t)gained_ns : size_ns;
    budget->used_up &= budget->left_ns < size_ns;
}

struct budget *budget_take(const char *function, uint64_t now_ns)
{
    struct budget *spare = NULL;
    for (uint32_t i = 0; i < used; i++) {
        struct budget *budget = &budgets[i];
        refill(budget, now_ns);
        if (strcmp(budget->function, function) == 0) {
            budget->workers++;
            return budget;
        }
        if (!budget->workers && (!spare || budget->left_ns > spare->left_ns))
            spare = budget;
    }
    if (!spare || (spare->left_ns < size_ns && used < WATCH_WORKERS_MAX))
        spare = &budgets[used++];
    *spare = (struct budget){.workers = 1, .left_ns = size_ns, .refilled_at_ns = now_ns};
    snprintf(spare->function, sizeof(spare->function), "%s", function);
    return spare;
}

void budget_give(struct budget *budget)
{
    budget->workers--;
}

bool budget_charge(struct budget *budget, uint64_t used_ns, uint64_t now_ns)
{
    refill(budget, now_ns);
    budget->left_ns = used_ns < (uint64_t)(budget->left_ns + size_ns) ? budget->left_ns - (int64_t)used_ns : -size_ns;
    budget->used_up |= budget->left_ns <= 0;
    return budget->used_up;
}
