/*
 * Accounts. Whatever changes a user locks the user's row first and counts its sequence on, so that the events of one user are numbered in the
 * order in which they happened.
 */
#include "base/clock.h"
#include "base/json_text.h"
#include "base/settings.h"
#include "contracts/names.h"
#include "messaging/outbox.h"
#include "users/rules.h"
#include "users/store.h"

#include <errno.h>

#define USER_COLUMNS "id, email, name, role, password_hash, created_at, updated_at"

static struct user user_of(const struct rows *rows, unsigned row)
{
    return (struct user){
        .id = rows_text(rows, row, 0),
        .email = rows_text(rows, row, 1),
        .name = rows_text(rows, row, 2),
        .role = rows_text(rows, row, 3),
        .password_hash = rows_text(rows, row, 4),
        .created_wall_ms = rows_integer(rows, row, 5),
        .updated_wall_ms = rows_integer(rows, row, 6),
    };
}

json_t *user_json(struct arena *arena, const struct user *user)
{
    char created[TIME_TEXT_SIZE], updated[TIME_TEXT_SIZE];
    time_print(user->created_wall_ms, created);
    time_print(user->updated_wall_ms, updated);
    return json_make(arena, "{s:s, s:s, s:s, s:s, s:s, s:s}", "id", user->id, "email", user->email, "name", user->name, "role", user->role,
                     "created_at", created, "updated_at", updated);
}

static const char *current_traceparent(void)
{
    return fiber_trace() ? fiber_trace()->traceparent : NULL;
}

int user_event(struct transaction *tx, const char *type, const char *user_id, int64_t sequence, const char *traceparent,
               const char *extra_session)
{
    struct text data = json_text(transaction_arena(tx), "ss", "user_id", user_id, "session_id", extra_session);
    struct outbox_entry entry = {
        .kind = OUTBOX_STREAM,
        .destination = TOPIC_USERS,
        .key = user_id,
        .event = {.source = SOURCE_USERS, .type = type, .subject = user_id, .traceparent = traceparent, .sequence = sequence, .data = data},
    };
    return outbox_add(tx, &entry);
}

/* ---- registering ---- */

struct registering {
    struct user *user;
    const struct session_start *session;
    const char *key, *traceparent;
    bool functions;
};

/* The functions hooked on new users get the email with the work. */
static int queue_created(struct transaction *tx, const struct registering *work)
{
    const char *id = work->user->id;
    struct text data = json_text(transaction_arena(tx), "ss", "user_id", id, "email", work->user->email);
    struct outbox_entry entry = {
        .kind = OUTBOX_QUEUE,
        .destination = QUEUE_USER_CREATED,
        .key = id,
        .event = {.source = SOURCE_USERS, .type = EVENT_USER_CREATED, .subject = id, .traceparent = work->traceparent, .sequence = 1,
                  .data = data},
    };
    return outbox_add(tx, &entry);
}

static int register_body(struct transaction *tx, void *arg)
{
    struct registering *work = arg;
    const struct user *user = work->user;
    int result = sql_run(tx,
                         "INSERT INTO users (id, email, email_key, name, role, password_hash, sequence, created_at, updated_at)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7)",
                         "tttttti", user->id, user->email, work->key, user->name, user->role, user->password_hash, user->created_wall_ms);
    if (result < 0)
        return result;
    if (work->session)
        result = session_add(tx, user->id, work->session);
    if (result >= 0)
        result = user_event(tx, EVENT_USER_REGISTERED, user->id, 1, work->traceparent, NULL);
    if (result >= 0 && work->functions)
        result = queue_created(tx, work);
    return result;
}

FIBER_FN int users_store_register(struct database *database, struct user *user, const struct session_start *session)
{
    char *id = arena_alloc(fiber_arena(), UUID_SIZE);
    uuid_make(id);
    user->id = id;
    user->created_wall_ms = user->updated_wall_ms = clock_wall_ms();
    struct registering work = {user, session, email_key(fiber_arena(), user->email), current_traceparent(), settings_flag("functions")};
    return database_transact(database, register_body, &work);
}

/* ---- looking up ---- */

struct finding {
    const char *id, *key, *ip_address;
    struct user user;
    bool place_known;
};

static int find_body(struct transaction *tx, void *arg)
{
    struct finding *work = arg;
    struct rows rows;
    int error = work->id ? sql_query(tx, &rows, "SELECT " USER_COLUMNS " FROM users WHERE id = ?1", "t", work->id)
                         : sql_query(tx, &rows,
                                     "SELECT " USER_COLUMNS ", EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = users.id"
                                     " AND sessions.ip_address = ?2) FROM users WHERE email_key = ?1",
                                     "tt", work->key, work->ip_address);
    if (error)
        return error;
    if (!rows.count)
        return -ENOENT;
    work->user = user_of(&rows, 0);
    work->place_known = !work->id && rows_integer(&rows, 0, 7);
    return 0;
}

FIBER_FN int users_store_find_by_email(struct database *database, const char *email, const char *ip_address, struct user *ret_user,
                                 bool *ret_place_known)
{
    struct finding work = {.key = email_key(fiber_arena(), email), .ip_address = ip_address ? ip_address : ""};
    int error = database_read_one(database, find_body, &work);
    if (error)
        return error;
    *ret_user = work.user;
    *ret_place_known = work.place_known;
    return 0;
}

FIBER_FN int users_store_find(struct database *database, const char *id, struct user *ret_user)
{
    struct finding work = {.id = id};
    int error = database_read_one(database, find_body, &work);
    if (!error)
        *ret_user = work.user;
    return error;
}

struct listing {
    const char *cursor;
    int limit;
    json_t *list;
};

static int list_body(struct transaction *tx, void *arg)
{
    struct listing *work = arg;
    struct arena *arena = transaction_arena(tx);
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT " USER_COLUMNS " FROM users WHERE id < ?1 ORDER BY id DESC LIMIT ?2", "ti", work->cursor,
                          (int64_t)work->limit);
    if (error)
        return error;
    work->list = json_make(arena, "[]");
    for (unsigned i = 0; i < rows.count; i++) {
        struct user user = user_of(&rows, i);
        json_add(work->list, user_json(arena, &user));
    }
    return 0;
}

FIBER_FN int users_store_list(struct database *database, const char *cursor, int limit, json_t **ret_list)
{
    struct listing work = {.cursor = cursor, .limit = limit};
    int error = database_scan(database, list_body, &work);
    if (!error)
        *ret_list = work.list;
    return error;
}

/* ---- changes ---- */

struct change {
    const char *id, *name, *email, *email_key, *role, *old_hash, *new_hash, *kept_session, *traceparent;
    struct user user;
    struct endings endings;
};

/* The row after an UPDATE … RETURNING with its sequence last. */
static int take_changed(const struct rows *rows, struct change *work, int64_t *ret_sequence)
{
    if (!rows->count)
        return -ENOENT;
    work->user = user_of(rows, 0);
    *ret_sequence = rows_integer(rows, 0, 7);
    return 0;
}

/* The row as it is, held until the transaction ends. */
static int lock_user(struct transaction *tx, struct change *work, int64_t *ret_sequence)
{
    struct rows rows;
    int error = sql_query_locked(tx, &rows, "SELECT " USER_COLUMNS ", sequence FROM users WHERE id = ?1", "t", work->id);
    return error ? error : take_changed(&rows, work, ret_sequence);
}

static int end_all(struct transaction *tx, struct change *work, const char *reason)
{
    static const char nil[] = "00000000-0000-0000-0000-000000000000";
    struct rows rows;
    int error = sql_query(tx, &rows, "DELETE FROM sessions WHERE user_id = ?1 AND id <> ?2 RETURNING id", "tt", work->id,
                          work->kept_session ? work->kept_session : nil);
    return error ? error : endings_add(tx, &rows, work->id, reason, &work->endings);
}

static int profile_body(struct transaction *tx, void *arg)
{
    struct change *work = arg;
    struct rows rows;
    int64_t sequence;
    int error = sql_query(tx, &rows,
                          "UPDATE users SET name = COALESCE(?2, name), email = COALESCE(?3, email), email_key = COALESCE(?4, email_key),"
                          " sequence = sequence + 1, updated_at = ?5 WHERE id = ?1 RETURNING " USER_COLUMNS ", sequence",
                          "tttti", work->id, work->name, work->email, work->email_key, clock_wall_ms());
    if (!error)
        error = take_changed(&rows, work, &sequence);
    return error ? error : user_event(tx, EVENT_USER_UPDATED, work->id, sequence, work->traceparent, NULL);
}

FIBER_FN int users_store_change_profile(struct database *database, const char *id, const char *name, const char *email, struct user *ret_user)
{
    struct change work = {.id = id, .name = name, .email = email, .traceparent = current_traceparent()};
    if (email)
        work.email_key = email_key(fiber_arena(), email);
    int error = database_transact(database, profile_body, &work);
    if (!error)
        *ret_user = work.user;
    return error;
}

static int role_body(struct transaction *tx, void *arg)
{
    struct change *work = arg;
    struct rows rows;
    int64_t sequence;
    work->endings = (struct endings){0};
    int error = lock_user(tx, work, &sequence);
    if (error || strcmp(work->user.role, work->role) == 0)
        return error;
    error = sql_query(tx, &rows,
                      "UPDATE users SET role = ?2, sequence = sequence + 1, updated_at = ?3 WHERE id = ?1 RETURNING " USER_COLUMNS
                      ", sequence",
                      "tti", work->id, work->role, clock_wall_ms());
    if (!error)
        error = take_changed(&rows, work, &sequence);
    if (!error)
        error = end_all(tx, work, "role_changed");
    return error ? error : user_event(tx, EVENT_USER_UPDATED, work->id, sequence, work->traceparent, NULL);
}

FIBER_FN int users_store_change_role(struct database *database, const char *id, const char *role, struct user *ret_user,
                               struct endings *ret_endings)
{
    struct change work = {.id = id, .role = role, .traceparent = current_traceparent()};
    int error = database_transact(database, role_body, &work);
    if (error)
        return error;
    *ret_user = work.user;
    *ret_endings = work.endings;
    return 0;
}

static int password_body(struct transaction *tx, void *arg)
{
    struct change *work = arg;
    struct rows rows;
    int64_t sequence;
    work->endings = (struct endings){0};
    int error = sql_query(tx, &rows,
                          "UPDATE users SET password_hash = ?3, sequence = sequence + 1, updated_at = ?4"
                          " WHERE id = ?1 AND password_hash = ?2 RETURNING " USER_COLUMNS ", sequence",
                          "ttti", work->id, work->old_hash, work->new_hash, clock_wall_ms());
    if (!error)
        error = take_changed(&rows, work, &sequence) ? -EACCES : 0;
    if (!error)
        error = end_all(tx, work, "password_changed");
    return error ? error : user_event(tx, EVENT_USER_PASSWORD_CHANGED, work->id, sequence, work->traceparent, NULL);
}

FIBER_FN int users_store_change_password(struct database *database, const char *id, const char *old_hash, const char *new_hash,
                                   const char *kept_session, struct endings *ret_endings)
{
    struct change work = {.id = id, .old_hash = old_hash, .new_hash = new_hash, .kept_session = kept_session,
                          .traceparent = current_traceparent()};
    int error = database_transact(database, password_body, &work);
    if (!error)
        *ret_endings = work.endings;
    return error;
}

static int delete_body(struct transaction *tx, void *arg)
{
    struct change *work = arg;
    int64_t sequence;
    work->endings = (struct endings){0};
    int error = lock_user(tx, work, &sequence);
    if (!error)
        error = end_all(tx, work, "user_deleted");
    if (!error)
        error = sql_send(tx, "DELETE FROM users WHERE id = ?1", "t", work->id);
    return error ? error : user_event(tx, EVENT_USER_DELETED, work->id, sequence + 1, work->traceparent, NULL);
}

FIBER_FN int users_store_delete(struct database *database, const char *id, struct endings *ret_endings)
{
    struct change work = {.id = id, .traceparent = current_traceparent()};
    int error = database_transact(database, delete_body, &work);
    if (!error)
        *ret_endings = work.endings;
    return error;
}
