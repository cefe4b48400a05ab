/* The HTTP/1.1 client: pooled keep-alive connections per worker and address, deadlines from the fiber. */
#ifndef PURSER_HTTP_CLIENT_H
#define PURSER_HTTP_CLIENT_H

#include "http/message.h"

/* One address, already resolved: "127.0.0.1:3001" or "[::1]:3001". */
struct http_call {
    const char *address;
    const char *host; /* Host header; NULL: the address */
    const char *method;
    const char *target;
    struct http_headers headers; /* without Host, Content-Length, Connection */
    struct text body;
    /* Asked now and then while no answer comes; true: the other side is lost, and the call ends with -EHOSTDOWN. NULL: never. */
    bool (*is_lost)(void *context);
    void *context;
};

enum http_call_progress {
    HTTP_CALL_NOT_CONNECTED, /* safe to repeat */
    HTTP_CALL_REUSED_CLOSED, /* a reused connection closed before the first byte: safe if idempotent */
    HTTP_CALL_SENT,          /* the request may have had an effect */
};

/* 0 and the answer in `ret_response` (arena of the fiber), or negative: -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, -ECANCELED,
 * -EHOSTDOWN, -EPROTO, -EMSGSIZE (answer above 16 MB). ret_progress may be NULL. */
FIBER_FN int http_client_call(const struct http_call *call, struct http_response *ret_response,
                              enum http_call_progress *ret_progress);

/* Resolves a name on a thread; ret_addresses gets up to `room` numeric "ip:port" texts in the fiber's arena. Count or negative. */
FIBER_FN int http_resolve(const char *host, int port, const char **ret_addresses, unsigned room);

#endif
