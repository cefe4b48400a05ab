/* What an adapter of the provider port provides. Only for adapters and provider.c. */
#ifndef PURSER_PAYMENTS_PROVIDER_OPS_H
#define PURSER_PAYMENTS_PROVIDER_OPS_H

#include "payments/provider.h"

struct provider_ops {
    const char *name;
    FIBER_FN struct provider_answer (*charge)(const struct provider *provider, const struct provider_charge *charge);
    FIBER_FN struct provider_answer (*query)(const struct provider *provider, const char *key);
    FIBER_FN struct provider_answer (*cancel)(const struct provider *provider, const char *key);
    FIBER_FN struct provider_answer (*refund)(const struct provider *provider, const char *key, const char *reference,
                                              int64_t amount_minor);
};

struct provider {
    const struct provider_ops *ops;
    const char *host; /* NULL: in this process */
    int port;
};

extern const struct provider_ops sandbox_provider_ops;

#endif
