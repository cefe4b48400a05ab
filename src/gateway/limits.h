/* Which limit counts for a request, and what the answer says about it. */
#ifndef PURSER_GATEWAY_LIMITS_H
#define PURSER_GATEWAY_LIMITS_H

#include "gateway/rate_limit.h"
#include "http/message.h"

/* What was decided for a request: the limit that counted. */
struct limits_verdict {
    const char *policy; /* "ip", "user", "login", "callback"; NULL: none counted */
    struct rate rate;
    struct rate_answer answer;
};

/* Reads the settings; again at a reload. */
void limits_load(void);
/* Whether an address has anything left: asked before a signature is computed for it. Takes nothing. */
bool limits_address_has_room(const char *address);
bool limits_is_login(const struct http_request *request);
/* Takes one: the user's limit where there is an identity, else the address's; for sign-ins those of logins as well; callbacks of payment
 * providers have one of their own instead. False: refused. */
bool limits_take(struct http_request *request, struct limits_verdict *ret_verdict);
/* What is left to an address, for an answer that counts nowhere. Takes nothing. */
void limits_peek(const char *address, struct limits_verdict *ret_verdict);
/* RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). */
void limits_decorate(const struct limits_verdict *verdict, struct http_response *response);
/* 429 with Retry-After. */
void limits_refuse(const struct limits_verdict *verdict, struct http_response *response);

#endif
