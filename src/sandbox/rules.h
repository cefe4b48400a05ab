/* What each payment method of the sandbox does. */
#ifndef PURSER_SANDBOX_RULES_H
#define PURSER_SANDBOX_RULES_H

#include <stdbool.h>

struct sandbox_method {
    const char *name;
    bool charges;             /* money is taken */
    bool answers;             /* the caller hears of it */
    const char *failure_code; /* where it answers that it failed */
    int failing_tries;        /* so many tries of a key are answered 503 first */
};

/* NULL for a method that the sandbox does not know. */
const struct sandbox_method *sandbox_method_find(const char *name);

#endif
