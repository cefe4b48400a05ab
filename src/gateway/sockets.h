/* WebSockets that pass through to another process: where they go, and our own closes on them. */
#ifndef PURSER_GATEWAY_SOCKETS_H
#define PURSER_GATEWAY_SOCKETS_H

#include "http/message.h"

/* Joins the client's connection with the instance of `service` that the user belongs to. Always answers or takes the connection over. */
FIBER_FN void sockets_open(const char *service, struct http_request *request, struct http_response *response);
/* Closes the ended session's sockets (4401), on all workers. Any worker. */
void sockets_end_session(const char *session_id);
/* Tells all to come back elsewhere (1012), spread over `spread_ms`. */
void sockets_drain(int64_t spread_ms);
unsigned sockets_count(void);

#endif
