/*
 * Who asks: access tokens verified once and remembered, revoked sessions refused at once. Keys come from the user service's key set;
 * revocations by the cache's channel `sessions`, by asking the user service where that may have missed one.
 */
#ifndef PURSER_GATEWAY_AUTHENTICATE_H
#define PURSER_GATEWAY_AUTHENTICATE_H

#include "base/err.h"
#include "engines/cache.h"
#include "http/message.h"

/* On a fiber of worker 0; starts what keeps keys and revocations fresh. `ended` (NULL: nobody) is called on worker 0 for each ended session as
 * it becomes known. 0 or negative. */
FIBER_FN int authenticate_start(struct cache *cache, void (*ended)(const char *session_id), struct err *err);
void authenticate_stop(void);
/* Waits until it can tell good tokens from bad ones, `ms` at most: whether it can. On a fiber of worker 0. */
FIBER_FN bool authenticate_await(int64_t ms);
/* Whether it has had the keys of access tokens. Any thread. */
bool authenticate_has_keys(void);

/* The token of a request: Authorization: Bearer, or, for WebSockets, the sub-protocol bearer.<jwt>. Empty when there is none. */
struct text authenticate_token(const struct http_request *request);

enum authenticate_result {
    AUTHENTICATE_OK,
    AUTHENTICATE_EXPIRED,
    AUTHENTICATE_INVALID,
    AUTHENTICATE_UNAVAILABLE, /* the keys can't be had */
};
/* Whether this worker has verified the token before and it is still good: no signature is computed. Fills the identity (arena). */
bool authenticate_known(struct http_request *request, struct text token);
/* Verifies; may fetch the key set once for an unknown key (with a cool-down). Fills request->identity when OK; else says why. */
FIBER_FN enum authenticate_result authenticate_verify(struct http_request *request, struct text token, const char **ret_why);
/* A session that ended in an answer that passed here: refused from now on, before the news of it has gone around. */
void authenticate_session_over(const char *session_id);

#endif
