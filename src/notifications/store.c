/*
 * The SQL of notifications. Numbers have no gap: a user's row in `recipients` is locked before the next one is taken, and both writes are of
 * one transaction. Unread counts are counted, over an index of the unread alone; there is no counter that could drift.
 */
#include "notifications/store.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/uuid.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define COLUMNS "seq, id, type, title, body, data, read_at, created_at"
#define COUNT_UNREAD "SELECT count(*) FROM notifications WHERE user_id = ?1 AND read_at IS NULL"

static const char *time_text(struct arena *arena, int64_t wall_ms)
{
    char *text = arena_alloc(arena, TIME_TEXT_SIZE);
    time_print(wall_ms, text);
    return text;
}

static struct text print(struct arena *arena, int64_t seq, const char *id, const struct wording *wording, const char *read_at,
                         int64_t created_at)
{
    struct text data = wording->data.at ? wording->data : text_of("null");
    return json_text(arena, "sisssjns", "id", id, "seq", seq, "type", wording->type, "title", wording->title, "body", wording->body, "data",
                     &data, "read_at", read_at, "created_at", time_text(arena, created_at));
}

static struct notification notification_of(struct arena *arena, const struct rows *rows, unsigned row)
{
    const struct wording wording = {
        .type = rows_text(rows, row, 2),
        .title = rows_text(rows, row, 3),
        .body = rows_text(rows, row, 4),
        .data = text_of(rows_text(rows, row, 5)),
    };
    const char *read_at = rows_null(rows, row, 6) ? NULL : time_text(arena, rows_integer(rows, row, 6));
    int64_t seq = rows_integer(rows, row, 0);
    return (struct notification){seq, print(arena, seq, rows_text(rows, row, 1), &wording, read_at, rows_integer(rows, row, 7))};
}

/* ---- writing ---- */

static int count_unread(struct transaction *tx, const char *user_id, int64_t *ret_unread)
{
    struct rows rows;
    int error = sql_query(tx, &rows, COUNT_UNREAD, "t", user_id);
    if (!error)
        *ret_unread = rows_integer(&rows, 0, 0);
    return error;
}

static void begin(struct addition *list, unsigned count, struct arena *arena)
{
    for (unsigned i = 0; i < count; i++) {
        char *id = arena_alloc(arena, UUID_SIZE);
        uuid_make(id);
        list[i].id = id;
        list[i].created_at = clock_wall_ms();
        list[i].seq = 0;
    }
}

static bool is_last_of_user(const struct addition *list, unsigned count, unsigned i)
{
    return i + 1 == count || strcmp(list[i].user_id, list[i + 1].user_id) != 0;
}

/* ---- on SQLite: a statement costs no round trip, and nobody else writes ---- */

/* Takes the next number unless the event is there already, then writes the row with the number that the user has come to. */
static int add_one(struct transaction *tx, struct addition *addition)
{
    const struct wording *wording = &addition->wording;
    struct rows rows;
    int error = sql_send(tx,
                         "INSERT INTO recipients (user_id, last_seq) SELECT ?1, 1 WHERE NOT EXISTS"
                         " (SELECT 1 FROM notifications WHERE user_id = ?1 AND event_id = ?2) ON CONFLICT (user_id) DO UPDATE"
                         " SET last_seq = recipients.last_seq + 1 WHERE recipients.deleted = 0",
                         "tt", addition->user_id, addition->event_id);
    if (error >= 0)
        error =
            sql_query(tx, &rows,
                      "INSERT INTO notifications (id, user_id, seq, event_id, type, title, body, data, created_at)"
                      " SELECT ?1, ?2, last_seq, ?3, ?4, ?5, ?6, ?7, ?8 FROM recipients WHERE user_id = ?2 AND deleted = 0 AND NOT EXISTS"
                      " (SELECT 1 FROM notifications WHERE user_id = ?2 AND event_id = ?3) RETURNING seq",
                      "ttttttsi", addition->id, addition->user_id, addition->event_id, wording->type, wording->title, wording->body,
                      &wording->data, addition->created_at);
    if (error >= 0 && rows.count)
        addition->seq = rows_integer(&rows, 0, 0);
    return error < 0 ? error : 0;
}

static int add_each(struct transaction *tx, struct addition *list, unsigned count)
{
    int error = 0;
    for (unsigned i = 0; i < count && !error; i++)
        error = add_one(tx, &list[i]);
    for (unsigned i = count; i-- > 0 && !error;)
        if (is_last_of_user(list, count, i))
            error = count_unread(tx, list[i].user_id, &list[i].unread);
        else
            list[i].unread = list[i + 1].unread;
    return error;
}

/* ---- on PostgreSQL: a statement for each step, whatever their number ---- */

/* Locks the users' rows, so that the statements behind it see what others have added. `false` locks them without writing them. */
static void lock_recipients(struct transaction *tx, const struct text *users)
{
    sql_send(
        tx,
        "INSERT INTO recipients (user_id, last_seq) SELECT DISTINCT user_id::uuid, 0 FROM unnest(?1::text[]) AS given (user_id) ORDER BY 1"
        " ON CONFLICT (user_id) DO UPDATE SET last_seq = recipients.last_seq WHERE false",
        "b", users);
}

/* A row for each that was added, in the order of the list. Subqueries in place of joins: each is a look into an index, also where the plan was
 * made while the tables were empty. */
static void ask_to_add(struct transaction *tx, const struct addition *list, unsigned count, struct rows *ret_rows)
{
    struct sql_list rows = {0};
    for (unsigned i = 0; i < count; i++) {
        const struct wording *wording = &list[i].wording;
        sql_list_add(tx, &rows, "ttttttsi", list[i].id, list[i].user_id, list[i].event_id, wording->type, wording->title, wording->body,
                     &wording->data, list[i].created_at);
    }
    sql_ask_list(
        tx, ret_rows,
        "WITH given AS (SELECT id::uuid, user_id::uuid, event_id::uuid, type, title, body, data, created_at::bigint, place"
        " FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[], ?7::text[], ?8::text[])"
        " WITH ORDINALITY AS a (id, user_id, event_id, type, title, body, data, created_at, place)),"
        " fresh AS (SELECT * FROM (SELECT given.*, (SELECT last_seq FROM recipients WHERE recipients.user_id = given.user_id AND deleted = "
        "0)"
        " AS last_seq FROM given) AS of_users WHERE last_seq IS NOT NULL AND (SELECT 1 FROM notifications AS old"
        " WHERE old.user_id = of_users.user_id AND old.event_id = of_users.event_id) IS NULL),"
        " added AS (INSERT INTO notifications (id, user_id, seq, event_id, type, title, body, data, created_at)"
        " SELECT id, user_id, last_seq + row_number() OVER (PARTITION BY user_id ORDER BY place), event_id, type, title, body, data,"
        " created_at FROM fresh ORDER BY place RETURNING id, user_id, seq),"
        " counted AS (UPDATE recipients SET last_seq = tops.seq FROM (SELECT user_id, max(seq) AS seq FROM added GROUP BY user_id) AS tops"
        " WHERE recipients.user_id = tops.user_id)"
        " SELECT id, seq FROM added",
        &rows);
}

static int add_together(struct transaction *tx, struct addition *list, unsigned count)
{
    struct arena *arena = transaction_arena(tx);
    struct text *users = arena_alloc(arena, sizeof *users * count), array;
    struct rows added, unread;
    unsigned user_count = 0, row = 0;
    for (unsigned i = 0; i < count; i++)
        if (is_last_of_user(list, count, i))
            users[user_count++] = text_of(list[i].user_id);
    array = postgres_text_array(arena, users, user_count, 1);
    lock_recipients(tx, &array);
    ask_to_add(tx, list, count, &added);
    sql_ask(tx, &unread,
            "SELECT (SELECT count(*) FROM notifications WHERE user_id = given.user_id::uuid AND read_at IS NULL)"
            " FROM unnest(?1::text[]) WITH ORDINALITY AS given (user_id, place) ORDER BY place",
            "b", &array);
    int error = sql_settle(tx);
    if (error)
        return error;
    for (unsigned i = 0; i < count && row < added.count; i++)
        if (strcmp(rows_text(&added, row, 0), list[i].id) == 0)
            list[i].seq = rows_integer(&added, row++, 1);
    assert(row == added.count && unread.count == user_count);
    for (unsigned i = count; i-- > 0;)
        list[i].unread = is_last_of_user(list, count, i) ? rows_integer(&unread, --user_count, 0) : list[i + 1].unread;
    return 0;
}

int notifications_add(struct transaction *tx, struct addition *list, unsigned count)
{
    if (!count)
        return 0;
    begin(list, count, transaction_arena(tx));
    return database_is_postgres(transaction_database(tx)) ? add_together(tx, list, count) : add_each(tx, list, count);
}

struct text addition_print(struct arena *arena, const struct addition *addition)
{
    return print(arena, addition->seq, addition->id, &addition->wording, NULL, addition->created_at);
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
