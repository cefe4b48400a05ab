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

/* What is wanted of a product, and what came of it. */
struct stock {
    const char *sku;
    int64_t quantity;
    bool is_taken; /* with name, price and currency filled in; else nothing is taken */
    const char *name, *currency;
    int64_t unit_price_minor;
    struct rows own; /* the store's */
};
/* By sku, each once. */
struct stocks {
    struct stock *list;
    unsigned count;
    bool is_shared;               /* one is wanted by several, of whom some may get it where there is too little for all */
    struct rows together, locked; /* the store's, and so is the next */
    bool is_told;
};
/* Asks to take all of each, or nothing of it (see sql_ask); after sql_settle the list is told what came of it. */
void orders_store_stocks_ask(struct transaction *tx, struct stocks *stocks);
void orders_store_stocks_told(struct stocks *stocks);
/* The same of one, at once. */
int orders_store_stock_take(struct transaction *tx, struct stock *stock);
int orders_store_stock_give(struct transaction *tx, const char *sku, int64_t quantity);

int orders_store_order_insert(struct transaction *tx, const struct order *order);
/* -ENOENT. With `lock` for the rest of the transaction. */
int orders_store_order(struct transaction *tx, const char *id, bool lock, struct order *ret_order);
/* The same of several, each once and sorted by their ids, all locked in one wait. */
int orders_store_orders_lock(struct transaction *tx, const char *const *ids, unsigned count, struct order *ret_orders);
/* Writes status, history, sequence, payment and updated_at. Once for each time that it was read. */
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
