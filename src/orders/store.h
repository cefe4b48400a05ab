/* All SQL of the order service. Every call is made inside a transaction and returns 0 or negative, unless it says more. */
#ifndef PURSER_ORDERS_STORE_H
#define PURSER_ORDERS_STORE_H

#include "engines/database.h"
#include "orders/rules.h"

struct product {
    const char *sku, *name, *description, *currency;
    int64_t unit_price_minor, stock;
    const char *id; /* position in lists */
};

/* An order with the state of its latest payment; texts marked JSON are values as the API shows them. */
struct order {
    const char *id, *user_id;
    enum order_status status;
    const char *currency;
    int64_t total_minor;
    const char *items;            /* JSON */
    const char *shipping_address; /* JSON or NULL */
    const char *history;          /* JSON */
    int64_t sequence;             /* of its events so far */
    struct {
        const char *id, *method, *status, *failure_code;
        int64_t refunded_minor, created_at, updated_at;
    } payment;
    int64_t created_at, updated_at;
};

/* -EEXIST when the sku is taken. */
int orders_store_product_insert(struct transaction *tx, const struct product *product);
/* -ENOENT when there is none. */
int orders_store_product(struct transaction *tx, const char *sku, struct product *ret_product);
/* NULL and negative numbers leave a member as it is. -ENOENT. */
int orders_store_product_update(struct transaction *tx, const struct product *change);
/* Newest first, before the id `cursor`. */
int orders_store_products(struct transaction *tx, const char *cursor, int limit, struct product **ret_list, unsigned *ret_count);
int orders_store_products_exist(struct transaction *tx, bool *ret_exist);

/* Asks to take `line->quantity` off the stock (see sql_ask); what came of it is told after the wait: true with name, price and currency
 * filled in, or false and nothing is taken. */
void orders_store_stock_ask(struct transaction *tx, const struct line *line, struct rows *ret_rows);
bool orders_store_stock_taken(const struct rows *rows, struct line *line);
int orders_store_stock_give(struct transaction *tx, const char *sku, int64_t quantity);

int orders_store_order_insert(struct transaction *tx, const struct order *order);
/* -ENOENT. With `lock` for the rest of the transaction. */
int orders_store_order(struct transaction *tx, const char *id, bool lock, struct order *ret_order);
/* The same in two steps, so that many wait once: asks for the locked row; sql_settle; reads it. */
void orders_store_order_ask(struct transaction *tx, const char *id, struct rows *ret_rows);
int orders_store_order_of(const struct rows *rows, struct order *ret_order);
/* Writes status, history, sequence, payment and updated_at. */
int orders_store_order_save(struct transaction *tx, const struct order *order);

struct order_filter {
    const char *user_id; /* NULL: everybody's */
    const char *status;  /* NULL: any */
    const char *cursor;  /* id; only earlier ones */
    int limit;
};
/* Newest first. */
int orders_store_orders(struct transaction *tx, const struct order_filter *filter, struct order **ret_list, unsigned *ret_count);
/* Ids of unpaid orders made before a time, oldest first. */
int orders_store_orders_unpaid(struct transaction *tx, int64_t before_wall_ms, int limit, struct rows *ret_ids);
/* Ids of a user's unpaid orders. */
int orders_store_orders_unpaid_of(struct transaction *tx, const char *user_id, struct rows *ret_ids);

#endif
