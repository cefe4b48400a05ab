/* The HTTP/1.1 server (RFC 9112): one listening socket per worker on the same address, strict parsing, limits, slow clients cut
 * off, drain. */
#ifndef PURSER_HTTP_SERVER_H
#define PURSER_HTTP_SERVER_H

#include "base/err.h"
#include "http/message.h"

struct http_server;

struct http_server_options {
    const char *name;   /* for logs and metrics: "gateway" */
    const char *listen; /* host:port, [v6]:port; port 0 takes a free one */
    struct http_handler handler;
    /* Adds headers to an answer that the server makes without the handler (a refused head, too many at work, a time-out). Where there was
     * no whole head, `request` has the client's address and no fields. Does not wait; runs on the loop, with a rescue set. May be NULL. */
    void (*decorate)(void *context, const struct http_request *request, struct http_response *response);
};

/* Binds first without SO_REUSEPORT to find a taken port, then one socket a worker. 0, or negative with one line in `err`. Call
 * on worker 0, before or while loops run. */
int http_server_start(const struct http_server_options *options, struct http_server **ret_server, struct err *err);
/* Whether a server could listen there now, for whoever wants to know before anything else is begun: 0 or negative with one line in `err`. */
int http_server_check(const char *listen, struct err *err);
/* The address it listens on, with the real port. */
const char *http_server_address(const struct http_server *server);
/* New requests get Connection: close; new connections are taken until `accept_ms` have passed, then listeners close. A connection that the
 * kernel has taken is served, if its first request comes soon. WebSockets are told 1012, spread over `spread_ms`. */
void http_server_drain(struct http_server *server, int64_t accept_ms, int64_t spread_ms);
/* Connections with a request or an answer under way, and upgraded ones, over all workers; more than none until a drain has closed its
 * listeners. */
unsigned http_server_in_flight(const struct http_server *server);

#endif
