/* All SQL of the payment service. Every call is made inside a transaction and returns 0 or negative, unless it says more. */
#ifndef PURSER_PAYMENTS_STORE_H
#define PURSER_PAYMENTS_STORE_H

#include "engines/database.h"

/* So many are claimed at once. */
#define PAYMENTS_STORE_CLAIM_MAX 64

struct payment {
    const char *id, *order_id, *user_id;
    int64_t amount_minor;
    const char *currency, *method, *status, *failure_code, *provider_ref;
    int64_t refunded_minor; /* accepted */
    int64_t settled_minor;  /* given back by the provider */
    int64_t attempts;
    bool is_unknown;
    int64_t sequence, created_at, updated_at;
};

struct refund {
    const char *id, *payment_id, *status, *reason;
    int64_t amount_minor, attempts;
};

/* Adds pending payments, to be looked at again at due_at; those that are there are left. -EEXIST when another payment of one's order is captured or
 * may be. */
int payments_store_payments_insert(struct transaction *tx, const struct payment *list, unsigned count, int64_t due_at);
/* -ENOENT. With `lock` for the rest of the transaction. */
int payments_store_payment(struct transaction *tx, const char *id, bool lock, struct payment *ret_payment);
struct payment_end {
    const char *id, *status, *failure_code, *provider_ref;
};
/* Gives pending payments their ends, which are sorted by id, all in one wait. A payment that had an end before, and the second end of one that
 * has two here, has no id in `ret_payments`. */
int payments_store_payments_settle(struct transaction *tx, const struct payment_end *ends, unsigned count, struct payment *ret_payments);
/* The provider gave back a part of a captured payment: the payment with its new status. */
int payments_store_payment_give_back(struct transaction *tx, const char *id, int64_t amount_minor, struct payment *ret_payment);
/* One more attempt at what is pending is due later. */
int payments_store_payment_postpone(struct transaction *tx, const char *id, bool is_unknown, int64_t due_at);
/* Those that are due by now get another due_at, for whoever claims them. */
int payments_store_payments_claim(struct transaction *tx, int64_t now, int64_t next_due_at, struct payment **ret_list, unsigned *ret_count);

struct payment_filter {
    const char *user_id, *order_id; /* NULL: any */
    const char *cursor;             /* id; only earlier ones */
    int limit;
};
/* Newest first. */
int payments_store_payments(struct transaction *tx, const struct payment_filter *filter, struct payment **ret_list, unsigned *ret_count);

/* Adds a refund to a payment: 1; 0 when it was there before; -EEXIST when it is more than is left (the database's own check). */
int payments_store_refund_insert(struct transaction *tx, const struct refund *refund, int64_t due_at);
/* -ENOENT. */
int payments_store_refund(struct transaction *tx, const char *id, struct refund *ret_refund);
/* A pending refund was made: 1 and its payment with the new status; 0 when it had an end before. */
int payments_store_refund_settle(struct transaction *tx, const char *id, struct refund *ret_refund, struct payment *ret_payment);
/* A pending refund was refused by the provider: its part can be refunded again. */
int payments_store_refund_fail(struct transaction *tx, const char *id);
int payments_store_refund_postpone(struct transaction *tx, const char *id, int64_t due_at);
int payments_store_refunds_claim(struct transaction *tx, int64_t now, int64_t next_due_at, struct refund **ret_list, unsigned *ret_count);

/* When something is due next; INT64_MAX: nothing. */
int payments_store_next_due(struct transaction *tx, int64_t *ret_due_at);
/* All that was on its way when the process ended is due now. */
int payments_store_make_due(struct transaction *tx);
/* What is due later than `latest` is due now. */
int payments_store_bring_near(struct transaction *tx, int64_t latest);

/* Moves an amount between two accounts. Nobody waits for it: that the transaction is in the ledger already fails what comes next (-EEXIST). */
int payments_store_ledger_move(struct transaction *tx, const char *transaction_id, const char *from, const char *to, const char *currency,
                      int64_t amount_minor);
/* Rows of account, currency, balance. */
int payments_store_ledger_balances(struct transaction *tx, struct rows *ret_rows);
/* Transactions whose rows do not sum to zero, and the difference between ledger and payments. */
int payments_store_ledger_faults(struct transaction *tx, int64_t *ret_unbalanced, int64_t *ret_difference);

/* What a provider tells of a payment or a refund. */
struct provider_event {
    const char *id;
    struct text body;
    const char *key; /* the payment's or refund's id; NULL: nothing of ours */
    bool is_refund;
    bool is_news; /* it was not there before, and what it is about has no end yet */
};
/* Keeps a provider's events, which are sorted by id, all in one wait, and finds out which are news. */
int payments_store_events(struct transaction *tx, const char *provider, struct provider_event *list, unsigned count);
/* What is pending is due by then, if it was not earlier. */
int payments_store_payment_hasten(struct transaction *tx, const char *id, int64_t due_at);
int payments_store_refund_hasten(struct transaction *tx, const char *id, int64_t due_at);

#endif
