/* Sessions. A refresh locks its session's row, so that of two at once the second finds what the first has done. */
#include "base/clock.h"
#include "base/settings.h"
#include "contracts/names.h"
#include "messaging/outbox.h"
#include "users/rules.h"
#include "users/store.h"

#include <errno.h>

#define CLEAN_BATCH 200
#define ENDINGS_KEPT_MS (25 * 3600 * 1000LL) /* an access token lives 24 h at most */
#define AUDIT_KEPT_MS (90 * 24 * 3600 * 1000LL)

/* ---- beginning ---- */

int session_add(struct transaction *tx, const char *user_id, const struct session_start *session)
{
    int64_t now = clock_wall_ms();
    return sql_send(tx,
                    "INSERT INTO sessions (id, user_id, generation, rotated_at, created_at, last_used_at, expires_at, user_agent, ip_address)"
                    " VALUES (?1, ?2, 1, ?3, ?3, ?3, ?4, ?5, ?6)",
                    "ttiitt", session->id, user_id, now, now + session->life_ms, session->place.user_agent, session->place.ip_address);
}

struct login {
    const struct user *user;
    const struct session_start *session;
    const char *traceparent;
    struct user fresh;
    struct endings endings;
};

static int end_oldest(struct transaction *tx, struct login *work)
{
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = ?1 ORDER BY id DESC"
                          " LIMIT 1000 OFFSET ?2) RETURNING id",
                          "ti", work->user->id, (int64_t)SESSIONS_MAX);
    return error ? error : endings_add(tx, &rows, work->user->id, "too_many", &work->endings);
}

static int login_body(struct transaction *tx, void *arg)
{
    struct login *work = arg;
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "UPDATE users SET sequence = sequence + 1 WHERE id = ?1 AND password_hash = ?2"
                          " RETURNING email, name, role, created_at, updated_at, sequence",
                          "tt", work->user->id, work->user->password_hash);
    if (error)
        return error;
    if (!rows.count)
        return -EACCES;
    work->fresh = (struct user){
        .id = work->user->id,
        .email = rows_text(&rows, 0, 0),
        .name = rows_text(&rows, 0, 1),
        .role = rows_text(&rows, 0, 2),
        .created_wall_ms = rows_integer(&rows, 0, 3),
        .updated_wall_ms = rows_integer(&rows, 0, 4),
    };
    error = session_add(tx, work->user->id, work->session);
    if (!error)
        error = end_oldest(tx, work);
    if (error)
        return error;
    return user_event(tx, EVENT_USER_LOGGED_IN, work->user->id, rows_integer(&rows, 0, 5), work->traceparent, work->session->id);
}

FIBER_FN int users_store_login(struct database *database, const struct user *user, const struct session_start *session, struct user *ret_user,
                         struct endings *ret_endings)
{
    struct login work = {.user = user, .session = session, .traceparent = fiber_trace() ? fiber_trace()->traceparent : NULL};
    int error = database_transact(database, login_body, &work);
    if (error)
        return error;
    *ret_user = work.fresh;
    *ret_endings = work.endings;
    return 0;
}

/* ---- refreshing ---- */

static int audit_add(struct transaction *tx, const char *kind, const char *user_id, const char *session_id, const char *ip_address)
{
    char id[UUID_SIZE];
    uuid_make(id);
    return sql_send(tx, "INSERT INTO audit (id, kind, user_id, session_id, ip_address, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "ttttti",
                    arena_strdup(transaction_arena(tx), id), kind, user_id, session_id, ip_address, clock_wall_ms());
}

static int end_reused(struct transaction *tx, struct refresh *refresh, const char *user_id)
{
    struct rows rows;
    int error = sql_query(tx, &rows, "DELETE FROM sessions WHERE id = ?1 RETURNING id", "t", refresh->token.session_id);
    if (!error)
        error = endings_add(tx, &rows, user_id, "refresh_token_reused", &refresh->ended);
    return error ? error : audit_add(tx, "refresh_token_reused", user_id, refresh->token.session_id, refresh->place.ip_address);
}

static int rotate(struct transaction *tx, const struct refresh *refresh, int64_t now)
{
    return sql_send(tx,
                    "UPDATE sessions SET generation = generation + 1, rotated_at = ?2, last_used_at = ?2, expires_at = ?3,"
                    " user_agent = ?4, ip_address = ?5 WHERE id = ?1",
                    "tiitt", refresh->token.session_id, now, now + refresh->life_ms, refresh->place.user_agent, refresh->place.ip_address);
}

static int take_user(struct transaction *tx, struct refresh *refresh, const char *user_id)
{
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT email, name, role, created_at, updated_at FROM users WHERE id = ?1", "t", user_id);
    if (error || !rows.count)
        return error ? error : -EACCES;
    refresh->user = (struct user){
        .id = user_id,
        .email = rows_text(&rows, 0, 0),
        .name = rows_text(&rows, 0, 1),
        .role = rows_text(&rows, 0, 2),
        .created_wall_ms = rows_integer(&rows, 0, 3),
        .updated_wall_ms = rows_integer(&rows, 0, 4),
    };
    return 0;
}

static int refresh_body(struct transaction *tx, void *arg)
{
    struct refresh *refresh = arg;
    struct rows rows;
    int64_t now = clock_wall_ms();
    refresh->ended = (struct endings){0};
    int error = sql_query_locked(tx, &rows, "SELECT user_id, generation, rotated_at, expires_at FROM sessions WHERE id = ?1", "t",
                                 refresh->token.session_id);
    if (error || !rows.count || rows_integer(&rows, 0, 3) <= now)
        return error ? error : -EACCES;
    const char *user_id = rows_text(&rows, 0, 0);
    int64_t current = rows_integer(&rows, 0, 1);
    switch (refresh_decide(refresh->token.generation, current, rows_integer(&rows, 0, 2), now)) {
    case REFRESH_ROTATE:
        refresh->generation = current + 1;
        error = rotate(tx, refresh, now);
        break;
    case REFRESH_REPEAT:
        refresh->generation = current;
        break;
    case REFRESH_REUSED:
        return end_reused(tx, refresh, user_id);
    }
    return error ? error : take_user(tx, refresh, user_id);
}

FIBER_FN int users_store_refresh(struct database *database, struct refresh *refresh)
{
    int error = database_transact(database, refresh_body, refresh);
    return !error && refresh->ended.count ? -EACCES : error; /* the ending itself has to commit */
}

/* ---- ending and listing ---- */

struct ending {
    const char *user_id, *session_id, *reason;
    struct endings endings;
};

static int end_body(struct transaction *tx, void *arg)
{
    struct ending *work = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, "DELETE FROM sessions WHERE id = ?1 AND user_id = ?2 RETURNING id", "tt", work->session_id, work->user_id);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    return endings_add(tx, &rows, work->user_id, work->reason, &work->endings);
}

FIBER_FN int users_store_end_session(struct database *database, const char *user_id, const char *session_id, const char *reason,
                               struct endings *ret_endings)
{
    struct ending work = {user_id, session_id, reason, {0}};
    int error = database_transact(database, end_body, &work);
    if (!error)
        *ret_endings = work.endings;
    return error;
}

static json_t *session_json(struct arena *arena, const struct rows *rows, unsigned row, const char *current)
{
    char created[TIME_TEXT_SIZE], used[TIME_TEXT_SIZE], expires[TIME_TEXT_SIZE];
    const char *id = rows_text(rows, row, 0);
    time_print(rows_integer(rows, row, 1), created);
    time_print(rows_integer(rows, row, 2), used);
    time_print(rows_integer(rows, row, 3), expires);
    return json_make(arena, "{s:s, s:s, s:s, s:s, s:s?, s:s?, s:b}", "id", id, "created_at", created, "last_used_at", used, "expires_at",
                     expires, "user_agent", rows_text(rows, row, 4), "ip_address", rows_text(rows, row, 5), "current",
                     current && strcmp(id, current) == 0);
}

struct reading {
    const char *user_id, *current, *cursor;
    int limit;
    json_t *list;
};

static int sessions_body(struct transaction *tx, void *arg)
{
    struct reading *work = arg;
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "SELECT id, created_at, last_used_at, expires_at, user_agent, ip_address FROM sessions"
                          " WHERE user_id = ?1 AND id < ?2 AND expires_at > ?3 ORDER BY id DESC LIMIT ?4",
                          "ttii", work->user_id, work->cursor, clock_wall_ms(), (int64_t)work->limit);
    if (error)
        return error;
    work->list = json_make(transaction_arena(tx), "[]");
    for (unsigned i = 0; i < rows.count; i++)
        json_add(work->list, session_json(transaction_arena(tx), &rows, i, work->current));
    return 0;
}

FIBER_FN int users_store_sessions(struct database *database, const char *user_id, const char *current, const char *cursor, int limit,
                            json_t **ret_list)
{
    struct reading work = {.user_id = user_id, .current = current, .cursor = cursor, .limit = limit};
    int error = database_read(database, sessions_body, &work);
    if (!error)
        *ret_list = work.list;
    return error;
}

static int clean_body(struct transaction *tx, void *unused)
{
    (void)unused;
    int64_t now = clock_wall_ms();
    int error = sql_run(tx, "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= ?1 LIMIT ?2)", "ii", now,
                        (int64_t)CLEAN_BATCH);
    if (error >= 0)
        error = sql_run(tx, "DELETE FROM endings WHERE number IN (SELECT number FROM endings WHERE ended_at < ?1 LIMIT ?2)", "ii",
                        now - ENDINGS_KEPT_MS, (int64_t)CLEAN_BATCH);
    if (error >= 0)
        error = sql_run(tx, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 LIMIT ?2)", "ii", now - AUDIT_KEPT_MS,
                        (int64_t)CLEAN_BATCH);
    return error < 0 ? error : 0;
}

FIBER_FN int users_store_clean(struct database *database)
{
    return database_transact(database, clean_body, NULL);
}
