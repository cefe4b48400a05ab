/* The server's half of the opening handshake, shared by WebSockets that end here and those that pass through. */
#ifndef PURSER_HTTP_WS_HANDSHAKE_H
#define PURSER_HTTP_WS_HANDSHAKE_H

#include "http/message.h"

/* Whether the request can become a WebSocket: 0, or -EPROTO after a problem answer (400, 426). */
int websocket_check(struct http_request *request, struct http_response *response);
/* Answers 101 on the connection. `protocol` may be NULL. */
void websocket_switch(struct http_request *request, const char *protocol);

#endif
