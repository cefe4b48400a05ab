/*
 * How payments begin and end, each inside a transaction: the payment's row, the ledger, and what others have to hear are of one commit.
 * Each may be called again for what is done already, and does nothing then.
 */
#ifndef PURSER_PAYMENTS_SETTLE_H
#define PURSER_PAYMENTS_SETTLE_H

#include "contracts/payments.h"
#include "payments/provider.h"
#include "payments/store.h"

/* Records attempts, all or none and in one wait, before anybody is asked for money. 0; -EBADMSG when one of the orders has a payment that is
 * captured or may be. */
int charges_record(struct transaction *tx, const struct payment_request *const *list, unsigned count);

/* A charge's end by the provider's final verdict: SUCCEEDED, FAILED or CANCELLED. */
struct charge_end {
    const char *payment_id;
    struct provider_answer answer;
    const char *traceparent; /* or NULL */
};
/* The ends (struct charge_end *) of some charges, all or none, in a few waits whatever their number. Locks the payments in the order of their ids. */
int charges_settle(struct transaction *tx, void *const *ends, unsigned count);

/* Accepts a refund of `amount_minor` (0: all that is left) and records it under its id. 0, also where nothing is left of what was wanted whole;
 * -ENOENT no such payment; -EPERM not captured; -EDOM more than is left. ret_payment (may be NULL): with the new sum. */
int refund_record(struct transaction *tx, const char *payment_id, const char *refund_id, int64_t amount_minor, const char *reason,
                  struct payment *ret_payment);
/* A refund's end: SUCCEEDED, else it failed. */
int refund_settle(struct transaction *tx, const char *refund_id, const struct provider_answer *answer, const char *traceparent);

/* When a call that was begun now has certainly ended. */
int64_t due_after_call(void);

#endif
