/* The sandbox's payment methods, as a table, and the pauses of its callbacks. The names of cards are Stripe's; the others are for failures that
 * no card has. */
#include "sandbox/rules.h"

#include <string.h>

static const struct sandbox_method methods[] = {
    {.name = "pm_card_visa", .charges = true, .answers = true},
    {.name = "pm_card_chargeDeclined", .answers = true, .failure_code = "card_declined"},
    {.name = "pm_card_chargeDeclinedInsufficientFunds", .answers = true, .failure_code = "insufficient_funds"},
    {.name = "pm_sandbox_timeout"},
    {.name = "pm_sandbox_late", .charges = true},
    {.name = "pm_sandbox_flaky", .charges = true, .answers = true, .failing_tries = 2},
};

const struct sandbox_method *sandbox_method_find(const char *name)
{
    for (unsigned i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

int64_t callback_pause_ms(int attempts, int64_t retry_after_s)
{
    if (retry_after_s >= CALLBACK_PAUSE_MAX_MS / 1000 || attempts >= 6)
        return CALLBACK_PAUSE_MAX_MS;
    return retry_after_s > 0 ? retry_after_s * 1000 : INT64_C(1000) << attempts;
}
