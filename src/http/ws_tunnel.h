/* WebSockets that pass through, for the gateway: a client's connection joined with one to a service, frame boundary by frame boundary. */
#ifndef PURSER_HTTP_WS_TUNNEL_H
#define PURSER_HTTP_WS_TUNNEL_H

#include "http/message.h"

struct ws_tunnel;

/* Asks `address` for the upgrade, with `extra` headers, and joins the two. 0 and the tunnel, valid until `closed` is called, and
 * response->upgraded is set and the handler returns; -EPROTO after an answer that is to be kept: the request was no upgrade, or the service
 * refused it in its own words; other negatives after 503 or 504, and another address may be tried. */
FIBER_FN int ws_tunnel_open(struct http_request *request, struct http_response *response, const char *address,
                            const struct http_headers *extra, void (*closed)(void *context), void *context,
                            struct ws_tunnel **ret_tunnel);
/* Puts a close frame of our own to both sides at their next frame boundary; nothing follows it. Twice is fine. On the tunnel's worker. */
void ws_tunnel_close(struct ws_tunnel *tunnel, int code, const char *reason);

#endif
