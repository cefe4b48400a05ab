/*
 * The end of a session, as everybody who holds something open for it hears it: on the cache's channel CHANNEL_SESSIONS, and, because that
 * may be missed, from GET /internal/revocations?after=N at the user service: {"data": [...], "last": N}, ascending by number.
 */
#ifndef PURSER_CONTRACTS_SESSIONS_H
#define PURSER_CONTRACTS_SESSIONS_H

#include "base/json.h"

#define CHANNEL_SESSIONS "sessions"
/* The channel of pushes to a user's sockets: this and the user id. */
#define CHANNEL_NOTIFY "notify:"

struct session_ended {
    int64_t number; /* ascending over all endings, from 1 */
    const char *session_id, *user_id;
};
/* {number, session_id, user_id} */
json_t *session_ended_encode(struct arena *arena, const struct session_ended *ended);
/* 0 or -EBADMSG. */
int session_ended_decode(const json_t *tree, struct session_ended *ret_ended);

#endif
