/*
 * The payment service's SQL: payments, and when they and refunds are due. Ends are conditional updates, so that of an answer, a callback and the
 * reconciler, which may come at once, one settles a payment and the others find it settled.
 */
#include "payments/store.h"

#include "base/clock.h"

#include <errno.h>

#define PAYMENT_COLUMNS \
    "id, order_id, user_id, amount, currency, method, status, failure_code, provider_ref, refunded, settled, attempts, is_unknown, " \
    "sequence, created_at, updated_at"
#define PAYMENT_COLUMN_COUNT 16

static struct payment payment_of(const struct rows *rows, unsigned row)
{
    return (struct payment){
        .id = rows_text(rows, row, 0),
        .order_id = rows_text(rows, row, 1),
        .user_id = rows_text(rows, row, 2),
        .amount_minor = rows_integer(rows, row, 3),
        .currency = rows_text(rows, row, 4),
        .method = rows_text(rows, row, 5),
        .status = rows_text(rows, row, 6),
        .failure_code = rows_text(rows, row, 7),
        .provider_ref = rows_text(rows, row, 8),
        .refunded_minor = rows_integer(rows, row, 9),
        .settled_minor = rows_integer(rows, row, 10),
        .attempts = rows_integer(rows, row, 11),
        .is_unknown = rows_integer(rows, row, 12) != 0,
        .sequence = rows_integer(rows, row, 13),
        .created_at = rows_integer(rows, row, 14),
        .updated_at = rows_integer(rows, row, 15),
    };
}

static void payments_of(struct transaction *tx, const struct rows *rows, struct payment **ret_list, unsigned *ret_count)
{
    *ret_list = arena_alloc(transaction_arena(tx), sizeof **ret_list * (rows->count + 1));
    for (*ret_count = 0; *ret_count < rows->count; ++*ret_count)
        (*ret_list)[*ret_count] = payment_of(rows, *ret_count);
}

#define NEW_COLUMNS \
    "id, order_id, user_id, amount, currency, method, status, refunded, settled, attempts, is_unknown, due_at, sequence, created_at, " \
    "updated_at"

int payments_store_payments_insert(struct transaction *tx, const struct payment *list, unsigned count, int64_t due_at)
{
    bool together = database_is_postgres(transaction_database(tx));
    struct sql_list added = {0};
    struct rows unread;
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < count; i++)
        if (together)
            sql_list_add(tx, &added, "tttittii", list[i].id, list[i].order_id, list[i].user_id, list[i].amount_minor, list[i].currency,
                         list[i].method, due_at, now);
        else
            sql_send(tx,
                     "INSERT INTO payments (" NEW_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', 0, 0, 1, 0, ?7, 0, ?8, ?8) "
                     "ON CONFLICT (id) DO NOTHING",
                     "tttittii", list[i].id, list[i].order_id, list[i].user_id, list[i].amount_minor, list[i].currency, list[i].method,
                     due_at, now);
    sql_ask_list(
        tx, &unread,
        "INSERT INTO payments (" NEW_COLUMNS ") "
        "SELECT id::uuid, order_id::uuid, user_id::uuid, amount::bigint, currency, method, 'pending', 0, 0, 1, 0, due_at::bigint, 0, "
        "now::bigint, now::bigint FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[], ?7::text[], "
        "?8::text[]) AS added (id, order_id, user_id, amount, currency, method, due_at, now) ON CONFLICT (id) DO NOTHING RETURNING 1",
        &added);
    return sql_settle(tx);
}

int payments_store_payment(struct transaction *tx, const char *id, bool lock, struct payment *ret_payment)
{
    static const char sql[] = "SELECT " PAYMENT_COLUMNS " FROM payments WHERE id = ?1";
    struct rows rows;
    int code = lock ? sql_query_locked(tx, &rows, sql, "t", id) : sql_query(tx, &rows, sql, "t", id);
    if (code < 0)
        return code;
    if (!rows.count)
        return -ENOENT;
    *ret_payment = payment_of(&rows, 0);
    return 0;
}

static void ask_to_settle(struct transaction *tx, const struct payment_end *end, struct rows *ret_rows)
{
    sql_ask(tx, ret_rows,
            "UPDATE payments SET status = ?2, failure_code = ?3, provider_ref = ?4, is_unknown = 0, due_at = NULL, "
            "sequence = sequence + 1, updated_at = ?5 WHERE id = ?1 AND status = 'pending' RETURNING " PAYMENT_COLUMNS,
            "tttti", end->id, end->status, end->failure_code, end->provider_ref, clock_wall_ms());
}

/* By its usual plans the statement locks the payments in the order of their ids. Rows are payments, and then the place of their ends. */
static void ask_to_settle_together(struct transaction *tx, const struct payment_end *ends, unsigned count, struct rows *ret_rows)
{
    struct sql_list list = {0};
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < count; i++)
        if (i == 0 || strcmp(ends[i].id, ends[i - 1].id) != 0)
            sql_list_add(tx, &list, "tttiti", ends[i].id, ends[i].status, ends[i].failure_code, now, ends[i].provider_ref, (int64_t)i);
    sql_ask_list(
        tx, ret_rows,
        "UPDATE payments SET status = new_status, failure_code = new_failure, provider_ref = new_ref, is_unknown = 0, due_at = NULL, "
        "sequence = sequence + 1, updated_at = now::bigint FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], "
        "?6::text[]) AS ended (new_id, new_status, new_failure, now, new_ref, place) "
        "WHERE id = new_id::uuid AND id = ANY (?1::text[]::uuid[]) AND status = 'pending' RETURNING " PAYMENT_COLUMNS ", place",
        &list);
}

int payments_store_payments_settle(struct transaction *tx, const struct payment_end *ends, unsigned count, struct payment *ret_payments)
{
    struct arena *arena = transaction_arena(tx);
    bool is_together = database_is_postgres(transaction_database(tx));
    struct rows *each = arena_alloc(arena, sizeof *each * (count + 1)), together = {0};
    if (is_together)
        ask_to_settle_together(tx, ends, count, &together);
    for (unsigned i = 0; i < count && !is_together; i++)
        ask_to_settle(tx, &ends[i], &each[i]);
    int code = sql_settle(tx);
    if (code < 0)
        return code;
    for (unsigned i = 0; i < count; i++)
        ret_payments[i] = !is_together && each[i].count ? payment_of(&each[i], 0) : (struct payment){0};
    for (unsigned i = 0; i < together.count; i++)
        ret_payments[rows_integer(&together, i, PAYMENT_COLUMN_COUNT)] = payment_of(&together, i);
    return 0;
}

int payments_store_payment_give_back(struct transaction *tx, const char *id, int64_t amount_minor, struct payment *ret_payment)
{
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "UPDATE payments SET settled = settled + ?2, sequence = sequence + 1, updated_at = ?3, "
                         "status = CASE WHEN settled + ?2 < amount THEN 'partially_refunded' ELSE 'refunded' END "
                         "WHERE id = ?1 RETURNING " PAYMENT_COLUMNS,
                         "tii", id, amount_minor, clock_wall_ms());
    if (code == 0)
        *ret_payment = payment_of(&rows, 0);
    return code;
}

int payments_store_payment_postpone(struct transaction *tx, const char *id, bool is_unknown, int64_t due_at)
{
    return sql_send(tx, "UPDATE payments SET is_unknown = ?2, due_at = ?3, attempts = attempts + 1 WHERE id = ?1 AND status = 'pending'",
                    "tii", id, (int64_t)is_unknown, due_at);
}

int payments_store_payments_claim(struct transaction *tx, int64_t now, int64_t next_due_at, struct payment **ret_list, unsigned *ret_count)
{
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "UPDATE payments SET due_at = ?2 WHERE id IN (SELECT id FROM payments WHERE due_at <= ?1 ORDER BY due_at "
                         "LIMIT ?3) AND due_at <= ?1 RETURNING " PAYMENT_COLUMNS,
                         "iii", now, next_due_at, (int64_t)PAYMENTS_STORE_CLAIM_MAX);
    if (code == 0)
        payments_of(tx, &rows, ret_list, ret_count);
    return code;
}

#define PAYMENTS_WHERE(condition) "SELECT " PAYMENT_COLUMNS " FROM payments WHERE id < ?1 " condition " ORDER BY id DESC LIMIT ?2"

int payments_store_payments(struct transaction *tx, const struct payment_filter *filter, struct payment **ret_list, unsigned *ret_count)
{
    struct rows rows;
    int code;
    int64_t limit = filter->limit;
    if (filter->user_id && filter->order_id)
        code = sql_query(tx, &rows, PAYMENTS_WHERE("AND order_id = ?3 AND user_id = ?4"), "titt", filter->cursor, limit, filter->order_id,
                         filter->user_id);
    else if (filter->user_id)
        code = sql_query(tx, &rows, PAYMENTS_WHERE("AND user_id = ?3"), "tit", filter->cursor, limit, filter->user_id);
    else if (filter->order_id)
        code = sql_query(tx, &rows, PAYMENTS_WHERE("AND order_id = ?3"), "tit", filter->cursor, limit, filter->order_id);
    else
        code = sql_query(tx, &rows, PAYMENTS_WHERE(""), "ti", filter->cursor, limit);
    if (code == 0)
        payments_of(tx, &rows, ret_list, ret_count);
    return code;
}

/* ---- when something is due ---- */

int payments_store_payment_hasten(struct transaction *tx, const char *id, int64_t due_at)
{
    return sql_send(tx, "UPDATE payments SET due_at = ?2 WHERE id = ?1 AND status = 'pending' AND due_at > ?2", "ti", id, due_at);
}

int payments_store_refund_hasten(struct transaction *tx, const char *id, int64_t due_at)
{
    return sql_send(tx, "UPDATE refunds SET due_at = ?2 WHERE id = ?1 AND status = 'pending' AND due_at > ?2", "ti", id, due_at);
}

int payments_store_next_due(struct transaction *tx, int64_t *ret_due_at)
{
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "SELECT (SELECT min(due_at) FROM payments WHERE due_at IS NOT NULL), "
                         "(SELECT min(due_at) FROM refunds WHERE due_at IS NOT NULL)",
                         "");
    if (code < 0)
        return code;
    int64_t payment = rows_null(&rows, 0, 0) ? INT64_MAX : rows_integer(&rows, 0, 0);
    int64_t refund = rows_null(&rows, 0, 1) ? INT64_MAX : rows_integer(&rows, 0, 1);
    *ret_due_at = payment < refund ? payment : refund;
    return 0;
}

int payments_store_make_due(struct transaction *tx)
{
    int code = sql_send(tx, "UPDATE payments SET due_at = 0 WHERE due_at IS NOT NULL AND is_unknown = 0", "");
    return code < 0 ? code : sql_send(tx, "UPDATE refunds SET due_at = 0 WHERE due_at IS NOT NULL", "");
}

int payments_store_bring_near(struct transaction *tx, int64_t latest)
{
    int code = sql_send(tx, "UPDATE payments SET due_at = 0 WHERE due_at > ?1", "i", latest);
    return code < 0 ? code : sql_send(tx, "UPDATE refunds SET due_at = 0 WHERE due_at > ?1", "i", latest);
}
