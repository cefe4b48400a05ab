/* What the client shares with the gateway's tunnels. For the files of this folder. */
#ifndef PURSER_HTTP_CLIENT_CONNECTION_H
#define PURSER_HTTP_CLIENT_CONNECTION_H

#include "http/client.h"
#include "http/tcp.h"

/* Begins to connect to a numeric address. 0 or negative; `connected` is called in either case but a negative return. */
int tcp_connect(struct tcp *tcp, uv_connect_t *connect, const char *address, uv_connect_cb connected);
/* Appends the head of the request. */
void http_request_print(const struct http_call *call, struct buffer *out);

#endif
