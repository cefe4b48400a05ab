/* A tunnel as ws_tunnel_open.c makes it and ws_tunnel.c passes bytes through it. */
#ifndef PURSER_HTTP_WS_TUNNEL_PARTS_H
#define PURSER_HTTP_WS_TUNNEL_PARTS_H

#include "http/parser.h"
#include "http/tcp.h"
#include "http/upgrade.h"
#include "http/ws_frames.h"
#include "http/ws_tunnel.h"

/* Of the service's answer to the upgrade, a refusal's body included. */
#define WS_TUNNEL_ANSWER_MAX (HTTP_HEAD_MAX + 64 * 1024)

/* One direction. */
struct way {
    struct ws_frames frames;
    struct tcp *to; /* NULL once it is gone */
    bool mask;   /* our close goes to a service, masked */
    bool cut;    /* our close is in; nothing follows */
    bool closed; /* the sender's own close frame went by */
};

struct ws_tunnel {
    struct tcp service;
    struct tcp *client; /* NULL until joined, and once it is gone */
    uv_connect_t connect;
    struct fiber *fiber; /* that opens it; NULL once joined */
    struct buffer in;    /* the service's answer to the upgrade */
    size_t scanned;
    bool connected, failed, joined;
    struct way to_client, to_service;
    int code; /* of our close; 0: none ordered */
    char reason[124];
    bool service_gone, client_gone;
    void (*closed)(void *context);
    void *context;
};

/* ws_tunnel.c */

/* Of the service's side, from the beginning; before the tunnel is joined what comes is kept in `in`, and its fiber is woken. */
extern const struct tcp_events ws_tunnel_service_events;
/* The answer was 101: takes the client's connection over. `rest`: what came behind the head of the answer. */
void ws_tunnel_join(struct ws_tunnel *tunnel, struct http_upgrade *upgrade, struct text rest);
/* Tells the fiber that opens the tunnel, if there is one. */
void ws_tunnel_wake(struct ws_tunnel *tunnel);
/* Once both sides are gone. */
void ws_tunnel_maybe_free(struct ws_tunnel *tunnel);

#endif
