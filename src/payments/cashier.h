/*
 * Who talks to the provider. Each charge and refund at work has a fiber; so many are under way at once, and the till writes down many
 * charges' ends in one commit. What has no end yet is in the tables with the time when it is due: a crash, a provider
 * that is away or silent, and what a callback hinted at are all found there.
 */
#ifndef PURSER_PAYMENTS_CASHIER_H
#define PURSER_PAYMENTS_CASHIER_H

#include "payments/provider.h"
#include "payments/store.h"

struct cashier;

/* On worker 0, where everything of it happens unless said otherwise. 0 or -ENOMEM. */
int cashier_start(struct database *database, const struct provider *provider, struct cashier **ret_cashier);
/* What is under way is cancelled and waited for; it is taken up again at the next start. */
FIBER_FN void cashier_stop(struct cashier *cashier);

/* Begins with a recorded charge; the texts are copied. Waits while very many are under way. `traceparent` may be NULL. */
FIBER_FN void cashier_charge(struct cashier *cashier, const struct payment *payment, const char *traceparent);
/* The same with a recorded refund. */
FIBER_FN void cashier_refund(struct cashier *cashier, const char *refund_id, const char *traceparent);
/* Makes a recorded refund on the calling fiber, of any worker: for a request that waits for it. What fails is left to the cashier. */
FIBER_FN void cashier_refund_here(struct cashier *cashier, const char *refund_id, const char *traceparent);

#endif
