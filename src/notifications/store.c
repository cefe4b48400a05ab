/*
 * The SQL of notifications. Numbers have no gap: a user's row in `recipients` is locked before the next one is taken, and both writes are of
 * one transaction. Unread counts are counted, over an index of the unread alone; there is no counter that could drift.
 */
#include "notifications/store.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <errno.h>
#include <string.h>

#define COLUMNS "seq, id, type, title, body, data, read_at, created_at"
#define COUNT_UNREAD "SELECT count(*) FROM notifications WHERE user_id = ?1 AND read_at IS NULL"

static json_t *time_json(int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];
    time_print(wall_ms, text);
    return json_string(text);
}

/* `read_at` and `data` (which may be NULL) go with it. */
static json_t *print(struct arena *arena, int64_t seq, const char *id, const struct wording *wording, json_t *read_at, int64_t created_at)
{
    return json_make(arena, "{s:s, s:I, s:s, s:s, s:s, s:O?, s:o, s:o}", "id", id, "seq", (json_int_t)seq, "type", wording->type, "title",
                     wording->title, "body", wording->body, "data", wording->data, "read_at", read_at, "created_at", time_json(created_at));
}

static struct notification notification_of(struct arena *arena, const struct rows *rows, unsigned row)
{
    struct wording wording = {.type = rows_text(rows, row, 2), .title = rows_text(rows, row, 3), .body = rows_text(rows, row, 4)};
    const char *text = rows_text(rows, row, 5);
    if (text)
        json_parse(arena, text_of(text), &wording.data, NULL);
    json_t *read_at = rows_null(rows, row, 6) ? json_null() : time_json(rows_integer(rows, row, 6));
    int64_t seq = rows_integer(rows, row, 0);
    return (struct notification){seq, print(arena, seq, rows_text(rows, row, 1), &wording, read_at, rows_integer(rows, row, 7))};
}

/* ---- writing ---- */

/* Takes the next number unless the event is there already, then writes the row with the number that the user has come to. */
static void ask_to_add(struct transaction *tx, struct addition *addition)
{
    const struct wording *wording = &addition->wording;
    struct arena *arena = transaction_arena(tx);
    char *id = arena_alloc(arena, UUID_SIZE);
    uuid_make(id);
    addition->id = id;
    addition->created_at = clock_wall_ms();
    sql_send(tx,
             "INSERT INTO recipients (user_id, last_seq) SELECT ?1, 1 WHERE NOT EXISTS"
             " (SELECT 1 FROM notifications WHERE user_id = ?1 AND event_id = ?2) ON CONFLICT (user_id) DO UPDATE"
             " SET last_seq = recipients.last_seq + 1 WHERE recipients.deleted = 0",
             "tt", addition->user_id, addition->event_id);
    sql_ask(tx, &addition->rows,
            "INSERT INTO notifications (id, user_id, seq, event_id, type, title, body, data, created_at)"
            " SELECT ?1, ?2, last_seq, ?3, ?4, ?5, ?6, ?7, ?8 FROM recipients WHERE user_id = ?2 AND deleted = 0 AND NOT EXISTS"
            " (SELECT 1 FROM notifications WHERE user_id = ?2 AND event_id = ?3) RETURNING seq",
            "ttttttti", id, addition->user_id, addition->event_id, wording->type, wording->title, wording->body,
            wording->data ? json_print(arena, wording->data, NULL) : NULL, addition->created_at);
}

static bool is_last_of_user(const struct addition *list, unsigned count, unsigned i)
{
    return i + 1 == count || strcmp(list[i].user_id, list[i + 1].user_id) != 0;
}

/* Once for those of a user that stand side by side. */
static int count_for(struct transaction *tx, struct addition *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_last_of_user(list, count, i))
            sql_ask(tx, &list[i].rows, COUNT_UNREAD, "t", list[i].user_id);
    int error = sql_settle(tx);
    for (unsigned i = count; i-- > 0 && !error;)
        list[i].unread = is_last_of_user(list, count, i) ? rows_integer(&list[i].rows, 0, 0) : list[i + 1].unread;
    return error;
}

/* Locks the user's row, so that the statements behind it see what others have added. SQLite has one writer. */
static void lock_recipient(struct transaction *tx, const char *user_id)
{
    if (database_is_postgres(transaction_database(tx)))
        sql_send(tx,
                 "INSERT INTO recipients (user_id, last_seq) VALUES (?1, 0) ON CONFLICT (user_id) DO UPDATE"
                 " SET last_seq = recipients.last_seq",
                 "t", user_id);
}

int notifications_add(struct transaction *tx, struct addition *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_last_of_user(list, count, i))
            lock_recipient(tx, list[i].user_id);
    for (unsigned i = 0; i < count; i++)
        ask_to_add(tx, &list[i]);
    int error = sql_settle(tx);
    for (unsigned i = 0; i < count && !error; i++)
        list[i].seq = list[i].rows.count ? rows_integer(&list[i].rows, 0, 0) : 0;
    return error ? error : count_for(tx, list, count);
}

json_t *addition_print(struct arena *arena, const struct addition *addition)
{
    return print(arena, addition->seq, addition->id, &addition->wording, json_null(), addition->created_at);
}

int notifications_forget_user(struct transaction *tx, const char *user_id)
{
    int count = sql_run(tx,
                        "INSERT INTO recipients (user_id, last_seq, deleted) VALUES (?1, 0, 1)"
                        " ON CONFLICT (user_id) DO UPDATE SET deleted = 1",
                        "t", user_id);
    if (count >= 0)
        count = sql_run(tx, "DELETE FROM notifications WHERE user_id = ?1", "t", user_id);
    return count < 0 ? count : 0;
}

struct read_work {
    const char *user_id, *id;
    bool changed;
    int64_t unread, up_to;
};

static int count_unread(struct transaction *tx, const char *user_id, int64_t *ret_unread)
{
    struct rows rows;
    int error = sql_query(tx, &rows, COUNT_UNREAD, "t", user_id);
    if (!error)
        *ret_unread = rows_integer(&rows, 0, 0);
    return error;
}

static int read_body(struct transaction *tx, void *arg)
{
    struct read_work *work = arg;
    struct rows rows;
    int count = sql_run(tx, "UPDATE notifications SET read_at = ?3 WHERE id = ?1 AND user_id = ?2 AND read_at IS NULL", "tti", work->id,
                        work->user_id, clock_wall_ms());
    if (count < 0)
        return count;
    work->changed = count > 0;
    if (work->changed)
        return count_unread(tx, work->user_id, &work->unread);
    int error = sql_query(tx, &rows, "SELECT seq FROM notifications WHERE id = ?1 AND user_id = ?2", "tt", work->id, work->user_id);
    return error ? error : rows.count ? 0 : -ENOENT;
}

FIBER_FN int notifications_read(struct database *database, const char *user_id, const char *id, bool *ret_changed, int64_t *ret_unread)
{
    struct read_work work = {.user_id = user_id, .id = id};
    int error = database_transact(database, read_body, &work);
    if (!error) {
        *ret_changed = work.changed;
        *ret_unread = work.unread;
    }
    return error;
}

static int read_all_body(struct transaction *tx, void *arg)
{
    struct read_work *work = arg;
    struct rows rows;
    int error = sql_query_locked(tx, &rows, "SELECT last_seq FROM recipients WHERE user_id = ?1", "t", work->user_id);
    if (error || rows.count == 0)
        return error;
    work->up_to = rows_integer(&rows, 0, 0);
    int count = sql_run(tx, "UPDATE notifications SET read_at = ?2 WHERE user_id = ?1 AND read_at IS NULL AND seq <= ?3", "tii",
                        work->user_id, clock_wall_ms(), work->up_to);
    return count < 0 ? count : 0;
}

FIBER_FN int notifications_read_all(struct database *database, const char *user_id, int64_t *ret_up_to)
{
    struct read_work work = {.user_id = user_id};
    int error = database_transact(database, read_all_body, &work);
    if (!error)
        *ret_up_to = work.up_to;
    return error;
}

/* ---- reading ---- */

struct page_work {
    const struct page_wanted *wanted;
    struct notification *list;
    int count;
};

static int page_body(struct transaction *tx, void *arg)
{
    static const char *const statements[2][2] = {
        {"SELECT " COLUMNS " FROM notifications WHERE user_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
         "SELECT " COLUMNS " FROM notifications WHERE user_id = ?1 AND seq > ?2 AND read_at IS NULL ORDER BY seq LIMIT ?3"},
        {"SELECT " COLUMNS " FROM notifications WHERE user_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
         "SELECT " COLUMNS " FROM notifications WHERE user_id = ?1 AND seq < ?2 AND read_at IS NULL ORDER BY seq DESC LIMIT ?3"},
    };
    struct page_work *work = arg;
    const struct page_wanted *wanted = work->wanted;
    struct rows rows;
    int error = sql_query(tx, &rows, statements[wanted->descending][wanted->unread_only], "tii", wanted->user_id, wanted->from,
                          (int64_t)wanted->limit);
    if (error)
        return error;
    for (work->count = 0; work->count < (int)rows.count; work->count++)
        work->list[work->count] = notification_of(transaction_arena(tx), &rows, (unsigned)work->count);
    return 0;
}

FIBER_FN int notifications_page(struct database *database, const struct page_wanted *wanted, struct notification *ret_list)
{
    struct page_work work = {.wanted = wanted, .list = ret_list};
    int error = database_read_one(database, page_body, &work);
    return error ? error : work.count;
}

struct standing_work {
    const char *user_id;
    struct standing standing;
};

static int standing_body(struct transaction *tx, void *arg)
{
    struct standing_work *work = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT last_seq FROM recipients WHERE user_id = ?1 AND deleted = 0", "t", work->user_id);
    if (error)
        return error;
    work->standing.last_seq = rows.count ? rows_integer(&rows, 0, 0) : 0;
    return count_unread(tx, work->user_id, &work->standing.unread);
}

FIBER_FN int notifications_standing(struct database *database, const char *user_id, struct standing *ret_standing)
{
    struct standing_work work = {.user_id = user_id};
    int error = database_read(database, standing_body, &work);
    if (!error)
        *ret_standing = work.standing;
    return error;
}
