/*
 * WebSocket (RFC 6455) on wslay: server side on an upgraded connection, and a client side for the gateway's pass-through. An idle
 * socket owns no fiber and no stack: callbacks come on the worker's loop, outside fibers. Every queue is bounded.
 */
#ifndef PURSER_HTTP_WEBSOCKET_H
#define PURSER_HTTP_WEBSOCKET_H

#include "http/message.h"

#define WEBSOCKET_MESSAGE_MAX (64 * 1024)
#define WEBSOCKET_FRAGMENTS_MAX 1024
#define WEBSOCKET_QUEUE_MAX (256 * 1024)

enum { WS_CLOSE_NORMAL = 1000, WS_CLOSE_GOING_AWAY = 1001, WS_CLOSE_PROTOCOL = 1002, WS_CLOSE_NOT_UTF8 = 1007,
       WS_CLOSE_POLICY = 1008, WS_CLOSE_TOO_LARGE = 1009, WS_CLOSE_RESTART = 1012, WS_CLOSE_UNAUTHORIZED = 4401,
       WS_CLOSE_SLOW = 4408 };

struct websocket;

struct websocket_events {
    /* A whole text message (UTF-8 checked). Binary messages are closed with 1008. May be NULL. */
    void (*message)(void *context, struct websocket *socket, struct text message);
    /* The connection is gone, by either side, and `socket` is freed after this call. Exactly once. */
    void (*closed)(void *context, int code);
    /* The server drains: true if the owner will close the socket itself. May be NULL (then 1012 is sent). */
    bool (*drain)(void *context, struct websocket *socket);
};

/* Accepts the upgrade (checks version, key, Origin is the caller's matter). `protocol` is the sub-protocol that is spoken here, or NULL: a client
 * that offers it is told its name, one that offers none is not, one that offers only others is refused. 0 and the socket,
 * response->upgraded is set and the handler returns; or -EPROTO after a problem answer (400, 426). */
int websocket_accept(struct http_request *request, struct http_response *response, const char *protocol,
                     const struct websocket_events *events, void *context, struct websocket **ret_socket);

/* Queues a text message. 0, or -EPIPE when closing. When more than WEBSOCKET_QUEUE_MAX waits the socket closes with 4408. On the
 * socket's own worker only. */
int websocket_send(struct websocket *socket, struct text message);
/* Two messages as one write, which costs half of two on each machine that they pass. As websocket_send. */
int websocket_send_both(struct websocket *socket, struct text first, struct text second);
/* Bytes that wait to be written. */
size_t websocket_queued(const struct websocket *socket);
/* Sends a close frame and ends the connection when the other side has answered or after 5 s. */
void websocket_close(struct websocket *socket, int code, const char *reason);

#endif
