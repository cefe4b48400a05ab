/*
 * The provider port: who moves the money. Every call names its operation by a key, and a provider does an operation once, however often
 * it is asked; so any call may be repeated. Adapter: the sandbox, in this process or over HTTP.
 */
#ifndef PURSER_PAYMENTS_PROVIDER_H
#define PURSER_PAYMENTS_PROVIDER_H

#include "base/err.h"
#include "runtime/fiber.h"

#include <stdint.h>

enum provider_verdict {
    PROVIDER_SUCCEEDED,
    PROVIDER_FAILED,    /* final: no money was moved, nor will be by this key */
    PROVIDER_CANCELLED, /* final: the key will never move money */
    PROVIDER_ABSENT,    /* a query: nothing has come of the key so far */
    PROVIDER_AGAIN,     /* not done, but may be asked again at once */
    PROVIDER_UNKNOWN,   /* asked, and no answer came: it may have been done */
};

struct provider_answer {
    enum provider_verdict verdict;
    const char *failure_code; /* of PROVIDER_FAILED */
    const char *reference;    /* the provider's own id of a charge; of PROVIDER_SUCCEEDED */
};

struct provider;

struct provider_charge {
    const char *key;
    int64_t amount_minor;
    const char *currency, *method;
};

/* By the setting payment_provider_url. 0 or -EINVAL with one line. */
int provider_open(const struct provider **ret_provider, struct err *err);
/* When no call is left. NULL is fine. */
void provider_close(const struct provider *provider);
/* As in POST /payments/callbacks/{name}. */
const char *provider_name(const struct provider *provider);
/* Whether it is another process: what it takes is none of our time. */
bool provider_is_elsewhere(const struct provider *provider);

/* Each waits at most for the setting payment_timeout; texts of the answer are in the fiber's arena. */
FIBER_FN struct provider_answer provider_charge(const struct provider *provider, const struct provider_charge *charge);
FIBER_FN struct provider_answer provider_query(const struct provider *provider, const char *key);
/* PROVIDER_CANCELLED, or what had come of the key before. */
FIBER_FN struct provider_answer provider_cancel(const struct provider *provider, const char *key);
/* Gives back a part of the charge `reference`. */
FIBER_FN struct provider_answer provider_refund(const struct provider *provider, const char *key, const char *reference,
                                                int64_t amount_minor);

#endif
