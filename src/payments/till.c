/*
 * Whoever comes while nothing is being written starts the writer, a fiber that goes on until nobody waits; who comes meanwhile is in its
 * next batch. So one charge alone waits for nothing, and many share their commits. Everything happens on one worker, but for the
 * transaction's body, which reads ends on their waiting fibers' stacks.
 */
#include "payments/till.h"

#include "engines/wakeup.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH_MAX 128

/* One end, on the stack of the fiber that waits for it. */
struct deposit {
    const struct charge_end *end;
    struct fiber *fiber;
    struct deposit *next;
    int code;
    bool done;
};

struct till {
    struct database *database;
    struct deposit *first, **last; /* not taken yet */
    bool writing;
    /* What is being written. */
    struct deposit *batch[BATCH_MAX];
    const struct charge_end *ends[BATCH_MAX];
    unsigned count;
};

struct till *till_new(struct database *database)
{
    struct till *till = calloc(1, sizeof *till);
    if (!till)
        return NULL;
    till->database = database;
    till->last = &till->first;
    return till;
}

void till_free(struct till *till)
{
    free(till);
}

struct part {
    const struct charge_end *const *ends;
    unsigned count;
};

static int settle(struct transaction *tx, void *arg)
{
    const struct part *part = arg;
    return charges_settle(tx, part->ends, part->count);
}

static FIBER_FN int write_part(struct till *till, unsigned first, unsigned count)
{
    struct part part = {till->ends + first, count};
    int code = database_transact(till->database, settle, &part);
    for (unsigned i = first; i < first + count; i++)
        till->batch[i]->code = code;
    return code;
}

/* Says nothing about a single charge: the database is away, or full. */
static bool is_outage(int code)
{
    return code == -EAGAIN || code == -ETIMEDOUT || code == -ENOSPC || code == -EIO || code == -ENOMEM;
}

static FIBER_FN void write_batch(void *arg)
{
    struct till *till = arg;
    int code = write_part(till, 0, till->count);
    for (unsigned i = 0; code < 0 && !is_outage(code) && till->count > 1 && i < till->count; i++)
        write_part(till, i, 1);
}

static void take_batch(struct till *till)
{
    for (till->count = 0; till->first && till->count < BATCH_MAX; till->count++) {
        struct deposit *deposit = till->first;
        till->first = deposit->next;
        till->batch[till->count] = deposit;
        till->ends[till->count] = deposit->end;
    }
    if (!till->first)
        till->last = &till->first;
}

static void tell_batch(struct till *till)
{
    for (unsigned i = 0; i < till->count; i++) {
        till->batch[i]->done = true;
        fiber_wake(till->batch[i]->fiber);
    }
}

static FIBER_FN void write_all(void *arg)
{
    struct till *till = arg;
    fiber_yield(); /* those whose answers came in the same turn of the loop are of the first batch */
    while (till->first) {
        take_batch(till);
        fiber_run_apart("payments.till batch", write_batch, till);
        tell_batch(till);
    }
    till->writing = false;
}

/* While nothing is being written nobody else waits. */
static int start_writing(struct till *till)
{
    till->writing = true;
    int code = fiber_start("payments.till", write_all, till);
    if (code < 0) {
        till->writing = false;
        till->first = NULL;
        till->last = &till->first;
    }
    return code;
}

FIBER_FN int till_settle(struct till *till, const struct charge_end *end)
{
    struct deposit deposit = {.end = end, .fiber = fiber_self(), .code = -ENOMEM};
    *till->last = &deposit;
    till->last = &deposit.next;
    if (!till->writing && start_writing(till) < 0)
        return -ENOMEM;
    while (!deposit.done)
        fiber_wait_uninterrupted();
    return deposit.code;
}
