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
    char order_id[UUID_SIZE]; /* when it is placed */
};

/* From the request's body; false after an answer that names every bad field. Does not wait. */
bool basket_read(struct http_request *request, struct http_response *response, struct basket *ret_basket);

/* A keyed_effect (messaging/keyed.h) on a struct basket: takes the stock and makes the order, or refuses and takes nothing. -ESTALE when
 * prices are not those that the function saw. */
int basket_place(struct transaction *tx, void *basket, struct http_response *answer);

#endif
