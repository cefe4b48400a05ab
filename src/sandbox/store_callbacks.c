/*
 * The SQL of callbacks, which are rows until the shop has taken them. One that was sent in vain moves to late_callbacks, where it is due
 * again after a pause, so that it holds up none that is new.
 */
#include "sandbox/store.h"

#include "base/clock.h"
#include "base/uuid.h"

#define CALLBACK_LIFE_MS (24 * 3600 * 1000LL) /* one that nobody wanted for a day goes */

int sandbox_callback_queue(struct transaction *tx, const char *type, json_t *object)
{
    struct arena *arena = transaction_arena(tx);
    char id[UUID_SIZE];
    uuid_make(id);
    const char *name = arena_printf(arena, "evt_%s", id);
    json_t *event = json_make(arena, "{s:s, s:s, s:O}", "id", name, "type", type, "data", object);
    struct text body = {0};
    body.at = json_print(arena, event, &body.size);
    return sql_send(tx, "INSERT INTO callbacks (id, body, created_at) VALUES (?1, ?2, ?3)", "tsi", name, &body, clock_wall_ms());
}

struct callbacks_work {
    struct callback *list;
    unsigned room, count;
    int64_t next_due;
};

static void add_callbacks(struct callbacks_work *work, const struct rows *rows)
{
    for (unsigned row = 0; row < rows->count; row++)
        work->list[work->count++] = (struct callback){
            .id = rows_text(rows, row, 0),
            .body = rows->cells[row * rows->columns + 1],
            .created_at = rows_integer(rows, row, 2),
            .attempts = (int)rows_integer(rows, row, 3),
        };
}

/* A time that is further away than any pause is from a clock that was set back since. */
static int callbacks_body(struct transaction *tx, void *arg)
{
    struct callbacks_work *work = arg;
    struct rows rows;
    int64_t now = clock_steady_ms(), furthest = now + 2 * CALLBACK_PAUSE_MAX_MS;
    work->count = 0;
    int error = sql_query(tx, &rows,
                          "SELECT id, body, created_at, attempts FROM late_callbacks WHERE due_at <= ?1 OR due_at > ?2"
                          " ORDER BY due_at LIMIT ?3",
                          "iii", now, furthest, (int64_t)work->room / 2);
    if (error)
        return error;
    add_callbacks(work, &rows);
    error = sql_query(tx, &rows, "SELECT id, body, created_at, 0 FROM callbacks ORDER BY id LIMIT ?1", "i",
                      (int64_t)(work->room - work->count));
    if (error)
        return error;
    add_callbacks(work, &rows);
    error = sql_query(tx, &rows, "SELECT min(due_at) FROM late_callbacks", "");
    if (!error)
        work->next_due = rows_null(&rows, 0, 0) ? INT64_MAX : rows_integer(&rows, 0, 0);
    return error;
}

FIBER_FN int sandbox_callbacks(struct database *database, struct callback *ret_list, unsigned room, int64_t *ret_next_due)
{
    struct callbacks_work work = {.list = ret_list, .room = room};
    int error = database_read(database, callbacks_body, &work);
    if (error)
        return error;
    *ret_next_due = work.next_due;
    return (int)work.count;
}

struct settle_work {
    const struct callback *list;
    int count;
};

static int forget_callback(struct transaction *tx, const struct callback *callback)
{
    return sql_send(tx, callback->attempts ? "DELETE FROM late_callbacks WHERE id = ?1" : "DELETE FROM callbacks WHERE id = ?1", "t",
                    callback->id);
}

static int put_off(struct transaction *tx, const struct callback *callback)
{
    int64_t attempts = callback->attempts + 1, due_at = clock_steady_ms() + callback->pause_ms;
    if (callback->attempts)
        return sql_send(tx, "UPDATE late_callbacks SET attempts = ?2, due_at = ?3 WHERE id = ?1", "tii", callback->id, attempts, due_at);
    int error = sql_send(tx,
                         "INSERT INTO late_callbacks (id, body, created_at, attempts, due_at) VALUES (?1, ?2, ?3, ?4, ?5)"
                         " ON CONFLICT (id) DO NOTHING",
                         "tsiii", callback->id, &callback->body, callback->created_at, attempts, due_at);
    return error ? error : forget_callback(tx, callback);
}

static int settle_body(struct transaction *tx, void *arg)
{
    const struct settle_work *work = arg;
    int error = 0;
    for (int i = 0; i < work->count && !error; i++) {
        const struct callback *callback = &work->list[i];
        bool is_over = callback->is_taken || callback->created_at < clock_wall_ms() - CALLBACK_LIFE_MS;
        error = is_over ? forget_callback(tx, callback) : put_off(tx, callback);
    }
    return error;
}

FIBER_FN int sandbox_callbacks_settle(struct database *database, const struct callback *list, int count)
{
    struct settle_work work = {list, count};
    return database_transact(database, settle_body, &work);
}
