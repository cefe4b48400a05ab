/* The server's half of the opening handshake, shared by WebSockets that end here and those that pass through. */
#ifndef PURSER_HTTP_WS_HANDSHAKE_H
#define PURSER_HTTP_WS_HANDSHAKE_H

#include "http/message.h"

/* Whether the request can become a WebSocket: 0, or -EPROTO after a problem answer (400, 426). */
int websocket_check(struct http_request *request, struct http_response *response);
/* The sub-protocols that the client offers, with commas between them and without those that carry a token. NULL: none. */
const char *websocket_offered(const struct http_request *request);
/* Whether the client can do with `protocol`, which may be NULL: it offers that or none. 0, or -EPROTO after a problem answer (400). */
int websocket_choose(const struct http_request *request, const char *protocol, struct http_response *response);
/* Answers 101 on the connection. `protocol` may be NULL, and is named only to a client that offers it (RFC 6455 section 4.2.2). */
void websocket_switch(struct http_request *request, const char *protocol);

#endif
