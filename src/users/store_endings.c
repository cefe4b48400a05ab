/*
 * The numbered list of sessions that ended before their time. A number is taken from a counter's row inside the transaction: numbers have no
 * gaps and appear in their order.
 */
#include "base/clock.h"
#include "users/store.h"

static int ending_add(struct transaction *tx, const struct session_ended *ended, const char *reason)
{
    return sql_send(tx, "INSERT INTO endings (number, session_id, user_id, reason, ended_at) VALUES (?1, ?2, ?3, ?4, ?5)", "ittti",
                    ended->number, ended->session_id, ended->user_id, reason, clock_wall_ms());
}

int endings_add(struct transaction *tx, const struct rows *rows, const char *user_id, const char *reason, struct endings *endings)
{
    struct rows counter;
    *endings = (struct endings){0};
    if (!rows->count)
        return 0;
    int error =
        sql_query(tx, &counter, "UPDATE ending_counter SET last = last + ?1 WHERE id = 1 RETURNING last", "i", (int64_t)rows->count);
    if (error)
        return error;
    int64_t number = rows_integer(&counter, 0, 0) - rows->count;
    endings->list = arena_alloc(transaction_arena(tx), rows->count * sizeof *endings->list);
    endings->count = rows->count;
    for (unsigned i = 0; i < rows->count && !error; i++) {
        endings->list[i] = (struct session_ended){++number, rows_text(rows, i, 0), user_id};
        error = ending_add(tx, &endings->list[i], reason);
    }
    return error;
}

struct reading {
    int64_t number;
    int limit;
    json_t *list;
    int64_t last;
};

static int endings_body(struct transaction *tx, void *arg)
{
    struct reading *work = arg;
    struct arena *arena = transaction_arena(tx);
    struct rows rows, counter;
    int error = sql_query(tx, &rows, "SELECT number, session_id, user_id FROM endings WHERE number > ?1 ORDER BY number LIMIT ?2", "ii",
                          work->number, (int64_t)work->limit);
    if (!error)
        error = sql_query(tx, &counter, "SELECT last FROM ending_counter WHERE id = 1", "");
    if (error)
        return error;
    work->list = json_make(arena, "[]");
    work->last = rows_integer(&counter, 0, 0);
    for (unsigned i = 0; i < rows.count; i++) {
        struct session_ended ended = {rows_integer(&rows, i, 0), rows_text(&rows, i, 1), rows_text(&rows, i, 2)};
        json_add(work->list, session_ended_encode(arena, &ended));
    }
    return 0;
}

FIBER_FN int users_store_endings_after(struct database *database, int64_t number, int limit, json_t **ret_list, int64_t *ret_last)
{
    struct reading work = {.number = number, .limit = limit};
    int error = database_read(database, endings_body, &work);
    if (error)
        return error;
    *ret_list = work.list;
    *ret_last = work.last;
    return 0;
}
