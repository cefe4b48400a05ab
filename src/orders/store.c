/*
 * The order service's SQL, the same for both engines. Stock is taken by conditional updates, so that the last items go to whoever comes
 * first and a CHECK stands behind it; who takes several locks them in the order of their skus. An order is read under its
 * lock, decided on by rules.c, and written back whole.
 */
#include "orders/store.h"

#include "base/clock.h"

#include <errno.h>
#include <strings.h>

#define PRODUCT_COLUMNS "sku, name, description, unit_price, currency, stock, id"

static struct product product_of(const struct rows *rows, unsigned row)
{
    return (struct product){
        .sku = rows_text(rows, row, 0),
        .name = rows_text(rows, row, 1),
        .description = rows_text(rows, row, 2),
        .unit_price_minor = rows_integer(rows, row, 3),
        .currency = rows_text(rows, row, 4),
        .stock = rows_integer(rows, row, 5),
        .id = rows_text(rows, row, 6),
    };
}

int orders_store_product_insert(struct transaction *tx, const struct product *product)
{
    int code = sql_run(tx,
                       "INSERT INTO products (sku, id, name, description, unit_price, currency, stock, created_at) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (sku) DO NOTHING",
                       "ttttitii", product->sku, product->id, product->name, product->description, product->unit_price_minor,
                       product->currency, product->stock, clock_wall_ms());
    return code < 0 ? code : code == 0 ? -EEXIST : 0;
}

int orders_store_product(struct transaction *tx, const char *sku, struct product *ret_product)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT " PRODUCT_COLUMNS " FROM products WHERE sku = ?1", "t", sku);
    if (code < 0)
        return code;
    if (!rows.count)
        return -ENOENT;
    *ret_product = product_of(&rows, 0);
    return 0;
}

int orders_store_product_update(struct transaction *tx, const struct product *change)
{
    int code = sql_run(tx,
                       "UPDATE products SET name = coalesce(?2, name), description = coalesce(?3, description), "
                       "unit_price = CASE WHEN CAST(?4 AS BIGINT) < 0 THEN unit_price ELSE ?4 END, stock = CASE WHEN CAST(?5 AS BIGINT) < 0 THEN stock ELSE ?5 END "
                       "WHERE sku = ?1",
                       "tttii", change->sku, change->name, change->description, change->unit_price_minor, change->stock);
    return code < 0 ? code : code == 0 ? -ENOENT : 0;
}

int orders_store_products(struct transaction *tx, const char *cursor, int limit, struct product **ret_list, unsigned *ret_count)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT " PRODUCT_COLUMNS " FROM products WHERE id < ?1 ORDER BY id DESC LIMIT ?2", "ti", cursor,
                         (int64_t)limit);
    if (code < 0)
        return code;
    *ret_list = arena_alloc(transaction_arena(tx), sizeof **ret_list * (rows.count + 1));
    for (*ret_count = 0; *ret_count < rows.count; ++*ret_count)
        (*ret_list)[*ret_count] = product_of(&rows, *ret_count);
    return 0;
}

int orders_store_products_exist(struct transaction *tx, bool *ret_exist)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT 1 FROM products LIMIT 1", "");
    *ret_exist = code == 0 && rows.count;
    return code;
}

static void ask_for_stock(struct transaction *tx, const char *sku, int64_t quantity, struct rows *ret_rows)
{
    sql_ask(tx, ret_rows, "UPDATE products SET stock = stock - ?2 WHERE sku = ?1 AND stock >= ?2 RETURNING name, unit_price, currency",
            "ti", sku, quantity);
}

/* Where lines may have to be taken one by one afterwards, whichever comes first, what they may take is locked before, in the order of the skus:
 * two processes would wait for each other else, and for the second that PostgreSQL takes to see that. What is sold out nobody can take. */
static void lock_in_order(struct transaction *tx, struct stocks *stocks)
{
    struct sql_list skus = {0};
    for (unsigned i = 0; i < stocks->count; i++)
        sql_list_add(tx, &skus, "t", stocks->list[i].sku);
    sql_ask_list(tx, &stocks->locked, "SELECT 1 FROM products WHERE sku = ANY (?1::text[]) AND stock > 0 ORDER BY sku FOR UPDATE", &skus);
}

/* By either of its usual plans (the list's order, or the index's) the update locks the products in the order of their skus, too. By another one two
 * processes could wait for each other: that is ended as a deadlock, and tried again. */
static void ask_together(struct transaction *tx, struct stocks *stocks)
{
    struct sql_list wanted = {0};
    for (unsigned i = 0; i < stocks->count; i++)
        sql_list_add(tx, &wanted, "ti", stocks->list[i].sku, stocks->list[i].quantity);
    if (stocks->is_shared)
        lock_in_order(tx, stocks);
    sql_ask_list(tx, &stocks->together,
                 "UPDATE products SET stock = stock - quantity::bigint FROM unnest(?1::text[], ?2::text[]) WITH ORDINALITY"
                 " AS wanted (wanted_sku, quantity, place) WHERE sku = wanted_sku AND sku = ANY (?1::text[]) AND stock >= quantity::bigint"
                 " RETURNING name, unit_price, currency, place",
                 &wanted);
}

void orders_store_stocks_ask(struct transaction *tx, struct stocks *stocks)
{
    if (database_is_postgres(transaction_database(tx))) {
        ask_together(tx, stocks);
        return;
    }
    for (unsigned i = 0; i < stocks->count; i++)
        ask_for_stock(tx, stocks->list[i].sku, stocks->list[i].quantity, &stocks->list[i].own);
}

static void note_taken(struct stock *stock, const struct rows *rows, unsigned row)
{
    stock->is_taken = true;
    stock->name = rows_text(rows, row, 0);
    stock->unit_price_minor = rows_integer(rows, row, 1);
    stock->currency = rows_text(rows, row, 2);
}

void orders_store_stocks_told(struct stocks *stocks)
{
    if (stocks->is_told)
        return;
    stocks->is_told = true;
    for (unsigned i = 0; i < stocks->count; i++)
        if (stocks->list[i].own.count)
            note_taken(&stocks->list[i], &stocks->list[i].own, 0);
    for (unsigned i = 0; i < stocks->together.count; i++)
        note_taken(&stocks->list[rows_integer(&stocks->together, i, 3) - 1], &stocks->together, i);
}

int orders_store_stock_take(struct transaction *tx, struct stock *stock)
{
    ask_for_stock(tx, stock->sku, stock->quantity, &stock->own);
    int code = sql_settle(tx);
    if (code == 0 && stock->own.count)
        note_taken(stock, &stock->own, 0);
    return code;
}

int orders_store_stock_give(struct transaction *tx, const char *sku, int64_t quantity)
{
    int code = sql_run(tx, "UPDATE products SET stock = stock + ?2 WHERE sku = ?1", "ti", sku, quantity);
    return code < 0 ? code : 0;
}

/* ---- orders ---- */

#define ORDER_COLUMNS \
    "id, user_id, status, currency, total, items, shipping_address, history, sequence, payment_id, payment_method, payment_status, " \
    "payment_failure, payment_refunded, payment_created_at, payment_updated_at, created_at, updated_at"

static struct order order_of(const struct rows *rows, unsigned row)
{
    struct order order = {
        .id = rows_text(rows, row, 0),
        .user_id = rows_text(rows, row, 1),
        .currency = rows_text(rows, row, 3),
        .total_minor = rows_integer(rows, row, 4),
        .items = rows_text(rows, row, 5),
        .shipping_address = rows_text(rows, row, 6),
        .history = rows_text(rows, row, 7),
        .sequence = rows_integer(rows, row, 8),
        .payment =
            {
                .id = rows_text(rows, row, 9),
                .method = rows_text(rows, row, 10),
                .status = rows_text(rows, row, 11),
                .failure_code = rows_text(rows, row, 12),
                .refunded_minor = rows_integer(rows, row, 13),
                .created_at = rows_integer(rows, row, 14),
                .updated_at = rows_integer(rows, row, 15),
            },
        .created_at = rows_integer(rows, row, 16),
        .updated_at = rows_integer(rows, row, 17),
    };
    order_status_parse(rows_text(rows, row, 2), &order.status);
    return order;
}

int orders_store_order_insert(struct transaction *tx, const struct order *order)
{
    static const struct sql_set orders = {
        "INSERT INTO orders (" ORDER_COLUMNS ") "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        "INSERT INTO orders (" ORDER_COLUMNS ") "
        "SELECT id::uuid, user_id::uuid, status, currency, total::bigint, items, shipping_address, history, sequence::bigint, "
        "payment_id::uuid, "
        "payment_method, payment_status, payment_failure, payment_refunded::bigint, payment_created_at::bigint, "
        "payment_updated_at::bigint, "
        "created_at::bigint, updated_at::bigint FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[], "
        "?7::text[], "
        "?8::text[], ?9::text[], ?10::text[], ?11::text[], ?12::text[], ?13::text[], ?14::text[], ?15::text[], ?16::text[], ?17::text[], "
        "?18::text[]) AS added (" ORDER_COLUMNS ")",
    };
    sql_add(tx, &orders, "ttttitttittttiiiii", order->id, order->user_id, order_status_name(order->status), order->currency,
            order->total_minor, order->items, order->shipping_address, order->history, order->sequence, order->payment.id,
            order->payment.method, order->payment.status, order->payment.failure_code, order->payment.refunded_minor,
            order->payment.created_at, order->payment.updated_at, order->created_at, order->updated_at);
    return 0;
}

static const char select_order[] = "SELECT " ORDER_COLUMNS " FROM orders WHERE id = ?1";

int orders_store_order(struct transaction *tx, const char *id, bool lock, struct order *ret_order)
{
    struct rows rows;
    int code = lock ? sql_query_locked(tx, &rows, select_order, "t", id) : sql_query(tx, &rows, select_order, "t", id);
    if (code < 0)
        return code;
    if (!rows.count)
        return -ENOENT;
    *ret_order = order_of(&rows, 0);
    return 0;
}

static int lock_together(struct transaction *tx, const char *const *ids, unsigned count, struct rows *ret_rows)
{
    struct sql_list list = {0};
    for (unsigned i = 0; i < count; i++)
        sql_list_add(tx, &list, "t", ids[i]);
    sql_ask_list(tx, ret_rows, "SELECT " ORDER_COLUMNS " FROM orders WHERE id = ANY (?1::text[]::uuid[]) ORDER BY id FOR UPDATE", &list);
    return sql_settle(tx);
}

int orders_store_orders_lock(struct transaction *tx, const char *const *ids, unsigned count, struct order *ret_orders)
{
    struct rows rows;
    unsigned row = 0;
    int code = 0;
    if (database_is_postgres(transaction_database(tx))) {
        code = lock_together(tx, ids, count, &rows);
        for (unsigned i = 0; i < count && code == 0; i++)
            if (row < rows.count && strcasecmp(rows_text(&rows, row, 0), ids[i]) == 0)
                ret_orders[i] = order_of(&rows, row++);
            else
                code = -ENOENT;
        return code;
    }
    for (unsigned i = 0; i < count && code == 0; i++)
        code = orders_store_order(tx, ids[i], true, &ret_orders[i]);
    return code;
}

int orders_store_order_save(struct transaction *tx, const struct order *order)
{
    static const struct sql_set changes = {
        "UPDATE orders SET status = ?2, history = ?3, sequence = ?4, payment_id = ?5, payment_method = ?6, payment_status = ?7, "
        "payment_failure = ?8, payment_refunded = ?9, payment_created_at = ?10, payment_updated_at = ?11, updated_at = ?12 "
        "WHERE id = ?1",
        "UPDATE orders SET status = new.status, history = new.history, sequence = new.sequence::bigint, payment_id = new.payment_id::uuid, "
        "payment_method = new.payment_method, payment_status = new.payment_status, payment_failure = new.payment_failure, "
        "payment_refunded = new.payment_refunded::bigint, payment_created_at = new.payment_created_at::bigint, "
        "payment_updated_at = new.payment_updated_at::bigint, updated_at = new.updated_at::bigint "
        "FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[], ?7::text[], ?8::text[], ?9::text[], "
        "?10::text[], "
        "?11::text[], ?12::text[]) AS new (id, status, history, sequence, payment_id, payment_method, payment_status, payment_failure, "
        "payment_refunded, payment_created_at, payment_updated_at, updated_at) "
        "WHERE orders.id = new.id::uuid AND orders.id = ANY (?1::text[]::uuid[])",
    };
    sql_add(tx, &changes, "tttittttiiii", order->id, order_status_name(order->status), order->history, order->sequence, order->payment.id,
            order->payment.method, order->payment.status, order->payment.failure_code, order->payment.refunded_minor,
            order->payment.created_at, order->payment.updated_at, order->updated_at);
    return 0;
}

#define ORDERS_WHERE(condition) "SELECT " ORDER_COLUMNS " FROM orders WHERE id < ?1 " condition " ORDER BY id DESC LIMIT ?2"

static int query_orders(struct transaction *tx, const struct order_filter *filter, struct rows *rows)
{
    int64_t limit = filter->limit;
    if (filter->user_id && filter->status)
        return sql_query(tx, rows, ORDERS_WHERE("AND user_id = ?3 AND status = ?4"), "titt", filter->cursor, limit, filter->user_id,
                         filter->status);
    if (filter->user_id)
        return sql_query(tx, rows, ORDERS_WHERE("AND user_id = ?3"), "tit", filter->cursor, limit, filter->user_id);
    if (filter->status)
        return sql_query(tx, rows, ORDERS_WHERE("AND status = ?3"), "tit", filter->cursor, limit, filter->status);
    return sql_query(tx, rows, ORDERS_WHERE(""), "ti", filter->cursor, limit);
}

int orders_store_orders(struct transaction *tx, const struct order_filter *filter, struct order **ret_list, unsigned *ret_count)
{
    struct rows rows;
    int code = query_orders(tx, filter, &rows);
    if (code < 0)
        return code;
    *ret_list = arena_alloc(transaction_arena(tx), sizeof **ret_list * (rows.count + 1));
    for (*ret_count = 0; *ret_count < rows.count; ++*ret_count)
        (*ret_list)[*ret_count] = order_of(&rows, *ret_count);
    return 0;
}

int orders_store_orders_unpaid(struct transaction *tx, int64_t before_wall_ms, int limit, struct rows *ret_ids)
{
    return sql_query(tx, ret_ids,
                     "SELECT id FROM orders WHERE status IN ('pending_payment', 'payment_failed') AND created_at <= ?1 "
                     "ORDER BY created_at LIMIT ?2",
                     "ii", before_wall_ms, (int64_t)limit);
}

int orders_store_orders_unpaid_of(struct transaction *tx, const char *user_id, struct rows *ret_ids)
{
    return sql_query(tx, ret_ids,
                     "SELECT id FROM orders WHERE user_id = ?1 AND status IN ('pending_payment', 'payment_failed') ORDER BY id", "t",
                     user_id);
}
