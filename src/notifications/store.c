/*
 * The SQL of notifications. Numbers have no gap: a user's row in `recipients` is locked by the statement that takes the next one, and both
 * writes are of one transaction. Unread counts are counted, over an index of the unread alone; there is no counter that could drift.
 */
#include "notifications/store.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <errno.h>

#define COLUMNS "seq, id, type, title, body, data, read_at, created_at"
#define COUNT_UNREAD "SELECT count(*) FROM notifications WHERE user_id = ?1 AND read_at IS NULL"

static json_t *time_json(int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];
    time_print(wall_ms, text);
    return json_string(text);
}

static struct notification notification_of(struct arena *arena, const struct rows *rows, unsigned row)
{
    json_t *data = NULL;
    const char *text = rows_text(rows, row, 5);
    if (text)
        json_parse(arena, text_of(text), &data, NULL);
    json_t *read_at = rows_null(rows, row, 6) ? json_null() : time_json(rows_integer(rows, row, 6));
    return (struct notification){
        .seq = rows_integer(rows, row, 0),
        .json = json_make(arena, "{s:s, s:I, s:s, s:s, s:s, s:O?, s:o, s:o}", "id", rows_text(rows, row, 1), "seq",
                          (json_int_t)rows_integer(rows, row, 0), "type", rows_text(rows, row, 2), "title", rows_text(rows, row, 3),
                          "body", rows_text(rows, row, 4), "data", data, "read_at", read_at, "created_at",
                          time_json(rows_integer(rows, row, 7))),
    };
}

/* ---- writing ---- */

int notifications_add(struct transaction *tx, const char *user_id, const char *event_id, const struct wording *wording)
{
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "INSERT INTO recipients (user_id, last_seq) VALUES (?1, 1) ON CONFLICT (user_id) DO UPDATE"
                          " SET last_seq = recipients.last_seq + 1 WHERE recipients.deleted = 0 RETURNING last_seq",
                          "t", user_id);
    if (error || rows.count == 0)
        return error;
    char id[UUID_SIZE];
    uuid_make(id);
    char *data = wording->data ? json_print(transaction_arena(tx), wording->data, NULL) : NULL;
    int count = sql_run(tx,
                        "INSERT INTO notifications (id, user_id, seq, event_id, type, title, body, data, created_at)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                        "ttittttti", id, user_id, rows_integer(&rows, 0, 0), event_id, wording->type, wording->title, wording->body,
                        data, clock_wall_ms());
    if (count != -EEXIST)
        return count < 0 ? count : 0;
    count = sql_run(tx, "UPDATE recipients SET last_seq = last_seq - 1 WHERE user_id = ?1", "t", user_id);
    return count < 0 ? count : 0;
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
    int error = database_read(database, page_body, &work);
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

struct event_work {
    const char *user_id, *event_id;
    struct notification notification;
    int64_t unread;
};

static int event_body(struct transaction *tx, void *arg)
{
    struct event_work *work = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT " COLUMNS " FROM notifications WHERE user_id = ?1 AND event_id = ?2", "tt", work->user_id,
                          work->event_id);
    if (error)
        return error;
    if (rows.count == 0)
        return -ENOENT;
    work->notification = notification_of(transaction_arena(tx), &rows, 0);
    return count_unread(tx, work->user_id, &work->unread);
}

FIBER_FN int notifications_of_event(struct database *database, const char *user_id, const char *event_id, struct notification *ret_notification,
                            int64_t *ret_unread)
{
    struct event_work work = {.user_id = user_id, .event_id = event_id};
    int error = database_read(database, event_body, &work);
    if (!error) {
        *ret_notification = work.notification;
        *ret_unread = work.unread;
    }
    return error;
}
