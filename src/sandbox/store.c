/*
 * The sandbox's SQL. A key's row is written first in every transaction about it, so that a charge and a cancellation of the same key come
 * one after the other; a refund locks its charge first, for the same reason.
 */
#include "sandbox/store.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <errno.h>
#include <string.h>

#define CHARGE_COLUMNS "id, key, amount, currency, payment_method, status, failure_code, refunded_amount, created_at"

/* The arena of a transaction is the caller's fiber's; the tree goes with it. */
static json_t *charge_json(struct arena *arena, const struct rows *rows, unsigned row)
{
    char created[TIME_TEXT_SIZE];
    time_print(rows_integer(rows, row, 8), created);
    return json_make(arena, "{s:s, s:s, s:I, s:s, s:s, s:s, s:s?, s:I, s:s}", "id", rows_text(rows, row, 0), "key", rows_text(rows, row, 1),
                     "amount", (json_int_t)rows_integer(rows, row, 2), "currency", rows_text(rows, row, 3), "payment_method",
                     rows_text(rows, row, 4), "status", rows_text(rows, row, 5), "failure_code", rows_text(rows, row, 6),
                     "refunded_amount", (json_int_t)rows_integer(rows, row, 7), "created_at", created);
}

static int find_charge(struct transaction *tx, const char *key, json_t **ret_charge)
{
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT " CHARGE_COLUMNS " FROM charges WHERE key = ?1", "t", key);
    if (error)
        return error;
    *ret_charge = rows.count ? charge_json(transaction_arena(tx), &rows, 0) : NULL;
    return 0;
}

/* ---- charges ---- */

struct charge_work {
    const struct charge_order *order;
    enum charge_outcome outcome;
    json_t *charge;
};

static bool same_charge(const struct charge_order *order, const json_t *charge)
{
    return json_get_integer(charge, "amount") == order->amount_minor &&
           strcmp(json_get_string(charge, "currency"), order->currency) == 0 &&
           strcmp(json_get_string(charge, "payment_method"), order->payment_method) == 0;
}

static int charged_before(struct transaction *tx, struct charge_work *work)
{
    int error = find_charge(tx, work->order->key, &work->charge);
    if (error)
        return error;
    work->outcome = work->charge && same_charge(work->order, work->charge) ? CHARGE_DONE : CHARGE_OTHER;
    return 0;
}

static int insert_charge(struct transaction *tx, struct charge_work *work)
{
    const struct charge_order *order = work->order;
    const char *status = order->method->failure_code ? "failed" : "succeeded";
    char id[UUID_SIZE];
    uuid_make(id);
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "INSERT INTO charges (id, key, amount, currency, payment_method, status, failure_code, created_at)"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING " CHARGE_COLUMNS,
                          "ttitttti", arena_printf(transaction_arena(tx), "ch_%s", id), order->key, order->amount_minor, order->currency,
                          order->payment_method, status, order->method->failure_code, clock_wall_ms());
    if (error)
        return error;
    work->charge = charge_json(transaction_arena(tx), &rows, 0);
    work->outcome = CHARGE_DONE;
    error = sql_send(tx, "UPDATE keys SET state = 'charged' WHERE key = ?1", "t", order->key);
    if (!error && order->method->answers)
        error = sandbox_callback_queue(tx, order->method->failure_code ? "charge.failed" : "charge.succeeded", work->charge);
    return error;
}

static int charge_body(struct transaction *tx, void *arg)
{
    struct charge_work *work = arg;
    const struct sandbox_method *method = work->order->method;
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "INSERT INTO keys (key, state, tries) VALUES (?1, 'open', 1)"
                          " ON CONFLICT (key) DO UPDATE SET tries = keys.tries + 1 RETURNING state, tries",
                          "t", work->order->key);
    if (error)
        return error;
    const char *state = rows_text(&rows, 0, 0);
    if (strcmp(state, "charged") == 0)
        return charged_before(tx, work);
    if (strcmp(state, "cancelled") == 0)
        work->outcome = CHARGE_CANCELLED;
    else if (rows_integer(&rows, 0, 1) <= method->failing_tries)
        work->outcome = CHARGE_BUSY;
    else if (!method->charges && !method->failure_code)
        work->outcome = CHARGE_SILENT;
    else
        return insert_charge(tx, work);
    return 0;
}

FIBER_FN int sandbox_charge(struct database *database, const struct charge_order *order, enum charge_outcome *ret_outcome,
                          json_t **ret_charge)
{
    struct charge_work work = {.order = order};
    int error = database_transact(database, charge_body, &work);
    if (error)
        return error;
    *ret_outcome = work.outcome;
    *ret_charge = work.charge;
    return 0;
}

struct cancel_work {
    const char *key;
    json_t *charge;
};

static int cancel_body(struct transaction *tx, void *arg)
{
    struct cancel_work *work = arg;
    int count = sql_run(tx,
                        "INSERT INTO keys (key, state, tries) VALUES (?1, 'cancelled', 0) ON CONFLICT (key) DO UPDATE"
                        " SET state = CASE keys.state WHEN 'charged' THEN 'charged' ELSE 'cancelled' END",
                        "t", work->key);
    return count < 0 ? count : find_charge(tx, work->key, &work->charge);
}

FIBER_FN int sandbox_cancel(struct database *database, const char *key, json_t **ret_charge)
{
    struct cancel_work work = {.key = key};
    int error = database_transact(database, cancel_body, &work);
    if (!error)
        *ret_charge = work.charge;
    return error;
}

/* ---- refunds ---- */

struct refund_work {
    const char *key, *charge_id;
    int64_t amount_minor;
    json_t *refund;
};

static json_t *refund_json(struct arena *arena, const char *id, const struct refund_work *work)
{
    return json_make(arena, "{s:s, s:s, s:s, s:I, s:s}", "id", id, "key", work->key, "charge_id", work->charge_id, "amount",
                     (json_int_t)work->amount_minor, "status", "succeeded");
}

static int insert_refund(struct transaction *tx, struct refund_work *work)
{
    char id[UUID_SIZE];
    uuid_make(id);
    const char *name = arena_printf(transaction_arena(tx), "re_%s", id);
    int error = sql_send(tx, "UPDATE charges SET refunded_amount = refunded_amount + ?2 WHERE id = ?1", "ti", work->charge_id,
                         work->amount_minor);
    if (!error)
        error = sql_send(tx, "INSERT INTO refunds (id, key, charge_id, amount, created_at) VALUES (?1, ?2, ?3, ?4, ?5)", "tttii", name,
                         work->key, work->charge_id, work->amount_minor, clock_wall_ms());
    if (error)
        return error;
    work->refund = refund_json(transaction_arena(tx), name, work);
    return sandbox_callback_queue(tx, "refund.succeeded", work->refund);
}

static int refund_body(struct transaction *tx, void *arg)
{
    struct refund_work *work = arg;
    struct rows charge, before;
    int error = sql_query_locked(tx, &charge, "SELECT status, amount - refunded_amount FROM charges WHERE id = ?1", "t", work->charge_id);
    if (!error)
        error = sql_query(tx, &before, "SELECT id, charge_id, amount FROM refunds WHERE key = ?1", "t", work->key);
    if (error)
        return error;
    if (charge.count == 0 || strcmp(rows_text(&charge, 0, 0), "succeeded") != 0)
        return -ENOENT;
    if (before.count) {
        if (strcmp(rows_text(&before, 0, 1), work->charge_id) != 0 || rows_integer(&before, 0, 2) != work->amount_minor)
            return -EDOM;
        work->refund = refund_json(transaction_arena(tx), rows_text(&before, 0, 0), work);
        return 0;
    }
    if (work->amount_minor > rows_integer(&charge, 0, 1))
        return -EDOM;
    return insert_refund(tx, work);
}

FIBER_FN int sandbox_refund(struct database *database, const char *key, const char *charge_id, int64_t amount_minor, json_t **ret_refund)
{
    struct refund_work work = {.key = key, .charge_id = charge_id, .amount_minor = amount_minor};
    int error = database_transact(database, refund_body, &work);
    if (!error)
        *ret_refund = work.refund;
    return error;
}

/* ---- reading ---- */

struct list_work {
    const char *key, *cursor;
    int limit;
    json_t *list;
};

static int list_body(struct transaction *tx, void *arg)
{
    struct list_work *work = arg;
    struct rows rows;
    int error = work->key ? sql_query(tx, &rows, "SELECT " CHARGE_COLUMNS " FROM charges WHERE key = ?1", "t", work->key)
                          : sql_query(tx, &rows,
                                      "SELECT " CHARGE_COLUMNS " FROM charges WHERE ?1 = '' OR id < ?1 ORDER BY id DESC LIMIT ?2", "ti",
                                      work->cursor, (int64_t)work->limit);
    if (error)
        return error;
    work->list = json_make(transaction_arena(tx), "[]");
    for (unsigned row = 0; row < rows.count; row++)
        json_add(work->list, charge_json(transaction_arena(tx), &rows, row));
    return 0;
}

FIBER_FN int sandbox_charges(struct database *database, const char *key, const char *cursor, int limit, json_t **ret_list)
{
    struct list_work work = {.key = key, .cursor = cursor, .limit = limit};
    int error = database_read(database, list_body, &work);
    if (!error)
        *ret_list = work.list;
    return error;
}
