/* The sandbox's payment methods, as a table. The names of cards are Stripe's; the others are for failures that no card has. */
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
