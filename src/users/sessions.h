/* Sessions as handlers deal with them: what a client that begins or goes on with one is answered, and who is told when one ends. */
#ifndef PURSER_USERS_SESSIONS_H
#define PURSER_USERS_SESSIONS_H

#include "http/problem.h"
#include "users/context.h"
#include "users/store.h"

/* Whether the refresh token travels as a cookie; false after a 403 answer for a page of a foreign origin. */
bool session_mode(struct http_request *request, struct http_response *response, bool *ret_cookie);
/* The refresh token of the request's cookie, or at == NULL. */
struct text session_cookie(const struct http_request *request);
void session_forget_cookie(struct http_response *response);

/* A new session's id, place and life. */
void session_prepare(struct http_request *request, struct session_start *ret_start);
struct session_place session_place_of(const struct http_request *request);
/* A new pair of tokens. */
FIBER_FN void session_answer(struct users *users, struct http_response *response, int status, const struct user *user, const char *session_id,
                             int64_t generation, bool cookie);
/* After the commit: everybody hears of it. */
FIBER_FN void sessions_ended(struct users *users, const struct endings *endings);

#endif
