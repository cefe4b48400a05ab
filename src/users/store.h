/* All SQL of the user service. Functions give 0 or a negative code; what they return lies in the fiber's arena. */
#ifndef PURSER_USERS_STORE_H
#define PURSER_USERS_STORE_H

#include "contracts/sessions.h"
#include "engines/database.h"
#include "security/refresh_tokens.h"

struct user {
    const char *id, *email, *name, *role, *password_hash;
    int64_t created_wall_ms, updated_wall_ms;
};
json_t *user_json(struct arena *arena, const struct user *user);

/* Where a session is used from; either may be NULL. */
struct session_place {
    const char *user_agent, *ip_address;
};
struct session_start {
    char id[UUID_SIZE];
    struct session_place place;
    int64_t life_ms;
};

/* Sessions that a transaction has ended, to be told to everybody once it is durable. */
struct endings {
    struct session_ended *list;
    unsigned count;
};

/* ---- users (store_users.c) ---- */

/* Makes the account, the first session unless `session` is NULL, and the events. -EEXIST: the email is taken. */
FIBER_FN int users_store_register(struct database *database, struct user *user, const struct session_start *session);
/* By email, with whether that account has a live session at `ip_address`. -ENOENT. */
FIBER_FN int users_store_find_by_email(struct database *database, const char *email, const char *ip_address, struct user *ret_user,
                                 bool *ret_place_known);
FIBER_FN int users_store_find(struct database *database, const char *id, struct user *ret_user);
/* Newest first, below the id `cursor`. */
FIBER_FN int users_store_list(struct database *database, const char *cursor, int limit, json_t **ret_list);
/* NULL keeps what is there. -ENOENT; -EEXIST: the email is taken. */
FIBER_FN int users_store_change_profile(struct database *database, const char *id, const char *name, const char *email, struct user *ret_user);
/* Another role ends all sessions. -ENOENT. */
FIBER_FN int users_store_change_role(struct database *database, const char *id, const char *role, struct user *ret_user,
                               struct endings *ret_endings);
/* If the hash is still `old_hash` (else -EACCES); ends all sessions but `kept_session`. */
FIBER_FN int users_store_change_password(struct database *database, const char *id, const char *old_hash, const char *new_hash,
                                   const char *kept_session, struct endings *ret_endings);
/* The account and everything of it; the email is free again. -ENOENT. */
FIBER_FN int users_store_delete(struct database *database, const char *id, struct endings *ret_endings);

/* ---- sessions (users_store_sessions.c) ---- */

/* A further session, if the password is still the one that was checked: -EACCES. The oldest session beyond SESSIONS_MAX ends. */
FIBER_FN int users_store_login(struct database *database, const struct user *user, const struct session_start *session, struct user *ret_user,
                         struct endings *ret_endings);
/* Uses a refresh token: the session's user and the successor's generation. -EACCES: the session is over; if it ended by this (the token had
 * been used before), it is among ret_endings. */
struct refresh {
    struct refresh_token token;
    struct session_place place;
    int64_t life_ms;
    struct user user;     /* out */
    int64_t generation;   /* out */
    struct endings ended; /* out */
};
FIBER_FN int users_store_refresh(struct database *database, struct refresh *refresh);
/* -ENOENT for what is over or somebody else's. */
FIBER_FN int users_store_end_session(struct database *database, const char *user_id, const char *session_id, const char *reason,
                               struct endings *ret_endings);
/* Live ones, newest first, below the id `cursor`; `current` is marked. */
FIBER_FN int users_store_sessions(struct database *database, const char *user_id, const char *current, const char *cursor, int limit,
                            json_t **ret_list);
/* Endings after that number, at most `limit`, and the last number given so far. */
FIBER_FN int users_store_endings_after(struct database *database, int64_t number, int limit, json_t **ret_list, int64_t *ret_last);
/* Forgets, in small batches, sessions that have expired, and endings and audit rows that are past their use. */
FIBER_FN int users_store_clean(struct database *database);

/* Inside a body: takes these sessions' numbers, keeps their endings, fills `endings`. `rows` has session ids in column 0. */
int endings_add(struct transaction *tx, const struct rows *rows, const char *user_id, const char *reason, struct endings *endings);
int session_add(struct transaction *tx, const char *user_id, const struct session_start *session);
/* An event of the user to the topic; `extra_session` adds session_id to its data. */
int user_event(struct transaction *tx, const char *type, const char *user_id, int64_t sequence, const char *traceparent,
               const char *extra_session);

/* ---- keys (users_store_keys.c) ---- */

struct stored_key {
    const char *kid, *sealed;
    int64_t signs_from_wall_ms;
};
/* Ascending by signs_from. */
FIBER_FN int users_store_keys(struct database *database, struct stored_key **ret_keys, unsigned *ret_count);
/* The first key, unless there is one already (then that stays): 0 either way. */
FIBER_FN int users_store_first_key(struct database *database, const struct stored_key *key);
FIBER_FN int users_store_add_key(struct database *database, const struct stored_key *key);
FIBER_FN int users_store_drop_key(struct database *database, const char *kid);

#endif
