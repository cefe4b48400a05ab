/* The ways in which an order moves on, each inside a transaction with the order's row locked: what it was changes, its history grows,
 * and what others have to hear goes to the outbox. All return 0 or negative. */
#ifndef PURSER_ORDERS_MOVES_H
#define PURSER_ORDERS_MOVES_H

#include "orders/store.h"

/* What led to it. */
struct cause {
    const char *reason;       /* for the history, or NULL */
    const char *traceparent;  /* or NULL */
    const char *event_id;     /* or NULL */
};

/* Writes a new order whose id, user, lines and sums are filled in: asks for its payment and announces it. */
int order_begin(struct transaction *tx, struct order *order, const struct cause *cause);
/* Another payment after one that failed. */
int order_pay_again(struct transaction *tx, struct order *order, const char *method, const struct cause *cause);
/* Gives the stock back, and asks for a refund where money was captured. */
int order_cancel(struct transaction *tx, struct order *order, const struct cause *cause);
int order_mark(struct transaction *tx, struct order *order, enum order_status status, const struct cause *cause);
/* Asks that all that is left of a payment is given back. */
int order_request_refund(struct transaction *tx, const struct order *order, const char *payment_id, const struct cause *cause);

#endif
