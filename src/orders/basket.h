/* What somebody wants to order: read from the request, then placed inside a transaction. */
#ifndef PURSER_ORDERS_BASKET_H
#define PURSER_ORDERS_BASKET_H

#include "base/uuid.h"
#include "http/message.h"
#include "orders/moves.h"
#include "orders/store.h"

struct basket {
    const char *user_id;
    struct line *lines;   /* as in the request */
    struct line **sorted; /* by sku */
    unsigned count;
    const char *payment_method;
    const char *shipping_address; /* JSON or NULL */
    bool expects;
    int64_t expected_total_minor;
    struct cause cause;
    /* Where a function sets the price: its total, and the prices of the lines that it saw. */
    bool is_priced;
    int64_t priced_total_minor;
    const int64_t *priced_unit_minor;
    struct stocks *stocks;    /* what it and its company want */
    bool has_company;         /* others are placed in the same transaction */
    bool is_stale;            /* prices were not those that the function saw */
    char order_id[UUID_SIZE]; /* when it is placed */
};

/* From the request's body; false after an answer that names every bad field. Does not wait. */
bool basket_read(struct http_request *request, struct http_response *response, struct basket *ret_basket);

/* A keyed_prepare (messaging/keyed.h) on baskets: asks for their stock, in the order of the skus. */
void baskets_ask(struct transaction *tx, void *const *baskets, unsigned count);
/* A keyed_effect on one that has asked: makes the order, or refuses and gives back what it took. -ESTALE where it is stale, or where others of the
 * transaction may have been refused for what it would give back: it has to be placed alone. */
int basket_place(struct transaction *tx, void *basket, struct http_response *answer);

#endif
