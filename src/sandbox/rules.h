/* What each payment method of the sandbox does. */
#ifndef PURSER_SANDBOX_RULES_H
#define PURSER_SANDBOX_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct sandbox_method {
    const char *name;
    bool charges;             /* money is taken */
    bool answers;             /* the caller hears of it */
    const char *failure_code; /* where it answers that it failed */
    int failing_tries;        /* so many tries of a key are answered 503 first */
};

/* NULL for a method that the sandbox does not know. */
const struct sandbox_method *sandbox_method_find(const char *name);

#define CALLBACK_PAUSE_MAX_MS 60000
/* Until a callback that was not taken is sent again, where so many attempts were made before: a second, doubled each time, up to a minute. Or
 * what the shop has asked for (Retry-After; negative: it did not), up to a minute. */
int64_t callback_pause_ms(int attempts, int64_t retry_after_s);

#endif
