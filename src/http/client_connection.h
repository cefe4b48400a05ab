/* A connection outward: pooled by worker and address, one call on it at a time. For the files of this folder. */
#ifndef PURSER_HTTP_CLIENT_CONNECTION_H
#define PURSER_HTTP_CLIENT_CONNECTION_H

#include "http/client_answer.h"
#include "http/tcp.h"

struct client_pool;

struct client_connection {
    struct tcp tcp;
    uv_connect_t connect;
    struct client_pool *pool;
    struct client_connection *newer, *older; /* among the idle */
    struct fiber *fiber;                     /* whose call it carries */
    bool connected, is_idle, done, closed;
    int error; /* once done: 0, and the answer is whole, or negative */
    struct client_answer answer;
};

/* What a fiber holds of a connection. */
struct lease {
    struct client_connection *connection;
};

/* One that rests, or a new one once it is connected; a fiber that ends gives it back. ret_reused: it has carried a call before. 0 or negative:
 * -ECONNREFUSED, -ETIMEDOUT, -ECANCELED, … */
FIBER_FN int client_connection_take(const char *address, struct lease *lease, bool *ret_reused);
/* It has carried its call and may carry others. */
void client_connection_rest(struct lease *lease);
/* It has not, or may not: it is closed. Nothing to do where nothing is held. */
void client_connection_drop(struct lease *lease);

/* Begins to connect to a numeric address. 0 or negative; `connected` is called in either case but a negative return. */
int tcp_connect(struct tcp *tcp, uv_connect_t *connect, const char *address, uv_connect_cb connected);

#endif
