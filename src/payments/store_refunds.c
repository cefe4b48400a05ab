/* The SQL of refunds. What was accepted counts in the payment at once, what the provider gave back when it says so. */
#include "base/clock.h"
#include "payments/store.h"

#include <errno.h>

#define REFUND_COLUMNS "id, payment_id, status, reason, amount, attempts"

static struct refund refund_of(const struct rows *rows, unsigned row)
{
    return (struct refund){
        .id = rows_text(rows, row, 0),
        .payment_id = rows_text(rows, row, 1),
        .status = rows_text(rows, row, 2),
        .reason = rows_text(rows, row, 3),
        .amount_minor = rows_integer(rows, row, 4),
        .attempts = rows_integer(rows, row, 5),
    };
}

int payments_store_refund_insert(struct transaction *tx, const struct refund *refund, int64_t due_at)
{
    int code = sql_run(tx,
                       "INSERT INTO refunds (id, payment_id, amount, status, reason, attempts, due_at, created_at, updated_at) "
                       "VALUES (?1, ?2, ?3, 'pending', ?4, 1, ?5, ?6, ?6) ON CONFLICT (id) DO NOTHING",
                       "ttitii", refund->id, refund->payment_id, refund->amount_minor, refund->reason, due_at, clock_wall_ms());
    if (code != 1)
        return code;
    code = sql_run(tx, "UPDATE payments SET refunded = refunded + ?2, updated_at = ?3 WHERE id = ?1", "tii", refund->payment_id,
                   refund->amount_minor, clock_wall_ms());
    return code < 0 ? code : code == 1 ? 1 : -ENOENT;
}

int payments_store_refund(struct transaction *tx, const char *id, struct refund *ret_refund)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT " REFUND_COLUMNS " FROM refunds WHERE id = ?1", "t", id);
    if (code < 0)
        return code;
    if (!rows.count)
        return -ENOENT;
    *ret_refund = refund_of(&rows, 0);
    return 0;
}

/* 1 and the refund when it was pending. */
static int end_refund(struct transaction *tx, const char *id, const char *status, struct refund *ret_refund)
{
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "UPDATE refunds SET status = ?2, due_at = NULL, updated_at = ?3 WHERE id = ?1 AND status = 'pending' "
                         "RETURNING " REFUND_COLUMNS,
                         "tti", id, status, clock_wall_ms());
    if (code < 0 || !rows.count)
        return code;
    *ret_refund = refund_of(&rows, 0);
    return 1;
}

int payments_store_refund_settle(struct transaction *tx, const char *id, struct refund *ret_refund, struct payment *ret_payment)
{
    int code = end_refund(tx, id, "succeeded", ret_refund);
    if (code != 1)
        return code;
    code = payments_store_payment_give_back(tx, ret_refund->payment_id, ret_refund->amount_minor, ret_payment);
    return code < 0 ? code : 1;
}

int payments_store_refund_fail(struct transaction *tx, const char *id)
{
    struct refund refund = {0};
    int code = end_refund(tx, id, "failed", &refund);
    if (code != 1)
        return code;
    return sql_send(tx, "UPDATE payments SET refunded = refunded - ?2, updated_at = ?3 WHERE id = ?1", "tii", refund.payment_id,
                    refund.amount_minor, clock_wall_ms());
}

int payments_store_refund_postpone(struct transaction *tx, const char *id, int64_t due_at)
{
    return sql_send(tx, "UPDATE refunds SET due_at = ?2, attempts = attempts + 1 WHERE id = ?1 AND status = 'pending'", "ti", id, due_at);
}

int payments_store_refunds_claim(struct transaction *tx, int64_t now, int64_t next_due_at, struct refund **ret_list, unsigned *ret_count)
{
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "UPDATE refunds SET due_at = ?2 WHERE id IN (SELECT id FROM refunds WHERE due_at <= ?1 ORDER BY due_at LIMIT ?3) "
                         "AND due_at <= ?1 RETURNING " REFUND_COLUMNS,
                         "iii", now, next_due_at, (int64_t)PAYMENTS_STORE_CLAIM_MAX);
    if (code < 0)
        return code;
    *ret_list = arena_alloc(transaction_arena(tx), sizeof **ret_list * (rows.count + 1));
    for (*ret_count = 0; *ret_count < rows.count; ++*ret_count)
        (*ret_list)[*ret_count] = refund_of(&rows, *ret_count);
    return 0;
}
