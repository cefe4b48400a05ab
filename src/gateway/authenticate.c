/*
 * A known token costs a look into a table (known_tokens.c); a new one a signature, by the keys that token_keys.c keeps. What can change while
 * a token lives, its session's end, is looked up each time (revocations.c, kept by revocations_watch.c).
 */
#include "gateway/authenticate.h"

#include "base/clock.h"
#include "base/log.h"
#include "gateway/known_tokens.h"
#include "gateway/revocations.h"
#include "gateway/revocations_watch.h"
#include "gateway/token_keys.h"
#include "http/problem.h"

#include <errno.h>

#define AWAIT_LOOK_MS 5

struct text authenticate_token(const struct http_request *request)
{
    struct text bearer = text_of("Bearer "), value = http_header(&request->headers, "Authorization");
    if (value.size >= bearer.size && text_equal_nocase((struct text){value.at, bearer.size}, bearer))
        return text_trim((struct text){value.at + bearer.size, value.size - bearer.size});
    if (value.at)
        return text_of("-"); /* another scheme, which we do not know: whatever it carries is refused */
    struct text protocols = http_header(&request->headers, "Sec-WebSocket-Protocol"), part, start = text_of("bearer.");
    while (protocols.at && text_split(&protocols, ',', &part)) {
        part = text_trim(part);
        if (text_starts(part, start))
            return (struct text){part.at + start.size, part.size - start.size};
    }
    return (struct text){NULL, 0};
}

bool authenticate_known(struct http_request *request, struct text token)
{
    struct known_token *known = known_tokens_find(token);
    if (!known)
        return false;
    if (known->expires_wall_ms <= clock_wall_ms() || revocations_has(known->session_id)) {
        known_tokens_forget(known);
        return false;
    }
    request->identity = (struct http_identity){
        .user_id = arena_strdup(request->arena, known->user_id),
        .role = arena_strdup(request->arena, known->role),
        .session_id = arena_strdup(request->arena, known->session_id),
        .expires_wall_ms = known->expires_wall_ms,
    };
    return true;
}

FIBER_FN enum authenticate_result authenticate_verify(struct http_request *request, struct text token, const char **ret_why)
{
    struct err err;
    struct token_claims claims;
    int error = token_keys_verify(request->arena, token, &claims, &err);
    if (error == -EAGAIN) {
        *ret_why = "The keys of access tokens cannot be had at the moment.";
        return AUTHENTICATE_UNAVAILABLE;
    }
    if (error == -EKEYEXPIRED) {
        *ret_why = "The access token has expired.";
        return AUTHENTICATE_EXPIRED;
    }
    if (error) {
        *ret_why = "The access token is not valid.";
        log_debug("token refused", "{s:s}", "why", err.message);
        return AUTHENTICATE_INVALID;
    }
    if (revocations_has(claims.session_id)) {
        *ret_why = "The session has ended.";
        return AUTHENTICATE_INVALID;
    }
    known_tokens_add(token, &claims);
    request->identity = (struct http_identity){claims.user_id, claims.role, claims.session_id, claims.expires_wall_ms};
    return AUTHENTICATE_OK;
}

bool authenticate_has_keys(void)
{
    return token_keys_are_there();
}

void authenticate_session_over(const char *session_id)
{
    revocations_session_over(session_id);
}

FIBER_FN int authenticate_start(struct cache *cache, void (*ended)(const char *session_id), struct err *err)
{
    known_tokens_init();
    int error = revocations_watch_start(cache, ended);
    if (!error)
        error = token_keys_start();
    return error ? err_set(err, error, "cannot watch for ended sessions") : 0;
}

FIBER_FN bool authenticate_await(int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    while (!token_keys_are_there() || !revocations_are_known())
        if (clock_mono_ms() >= until || fiber_sleep(AWAIT_LOOK_MS))
            return false;
    return true;
}

void authenticate_stop(void)
{
    revocations_watch_stop();
    token_keys_stop();
}
