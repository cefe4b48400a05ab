/*
 * WebSockets that pass through: the client's connection joined with one to a service. Bytes go on as they come; headers of frames are read
 * beside, so that a close of our own can be put in where one frame has ended and the next has not begun. Each side is read only as fast as the
 * other takes it. A service that goes without a close is told to the client as 1012, come back.
 */
#include "base/clock.h"
#include "http/websocket.h"
#include "http/ws_tunnel_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_MS 5000
#define QUEUE_MAX (64 * 1024)

static struct ws_tunnel *tunnel_of(struct tcp *tcp)
{
    return (struct ws_tunnel *)((char *)tcp - offsetof(struct ws_tunnel, service));
}

/* ---- passing on ---- */

static void put_close(struct ws_tunnel *tunnel, struct way *way)
{
    unsigned char frame[135];
    if (way->cut || way->closed || !way->to)
        return;
    way->cut = true;
    size_t size = ws_close_frame(tunnel->code, tunnel->reason, way->mask, frame);
    if (tcp_write(way->to, (struct text){(char *)frame, size}, (struct text){0}) == -ENOMEM)
        tcp_close(way->to);
}

/* How many of the bytes go on: all, or up to the boundary where our close comes in. */
static size_t follow(struct ws_tunnel *tunnel, struct way *way, struct text bytes)
{
    size_t at = 0;
    int event;
    while ((event = ws_frames_next(&way->frames, bytes, &at)) != WS_FRAMES_MORE) {
        if (event != WS_FRAMES_END)
            continue;
        if (way->frames.opcode == WS_CLOSE)
            way->closed = true;
        if (tunnel->code && !way->cut)
            return at;
    }
    return bytes.size;
}

/* false while the other side can't take more. */
static bool pass(struct ws_tunnel *tunnel, struct way *way, struct text bytes)
{
    bool was_cut = way->cut;
    if (!way->to)
        return true; /* nobody hears it; what comes is read and dropped */
    size_t size = follow(tunnel, way, bytes);
    if (!was_cut && tcp_write(way->to, (struct text){bytes.at, size}, (struct text){0}) == -ENOMEM)
        tcp_close(way->to);
    if (tunnel->code && !way->cut && ws_frames_at_boundary(&way->frames)) {
        put_close(tunnel, way);
        follow(tunnel, way, (struct text){bytes.at + size, bytes.size - size});
    }
    return tcp_queued(way->to) < QUEUE_MAX;
}

/* No more comes from the other side: this one ends once it has what waits. */
static void end(struct tcp *tcp)
{
    tcp_end(tcp);
    tcp_set_due(tcp, clock_mono_ms() + CLOSE_MS);
}

void ws_tunnel_close(struct ws_tunnel *tunnel, int code, const char *reason)
{
    if (tunnel->code)
        return;
    tunnel->code = code;
    size_t size = reason ? strlen(reason) : 0;
    if (size >= sizeof tunnel->reason)
        size = sizeof tunnel->reason - 1;
    memcpy(tunnel->reason, reason ? reason : "", size);
    struct way *ways[] = {&tunnel->to_client, &tunnel->to_service};
    for (unsigned i = 0; i < 2; i++) {
        if (ws_frames_at_boundary(&ways[i]->frames))
            put_close(tunnel, ways[i]);
        if (ways[i]->to)
            tcp_set_due(ways[i]->to, clock_mono_ms() + CLOSE_MS);
    }
}

/* ---- the service's side ---- */

void ws_tunnel_wake(struct ws_tunnel *tunnel)
{
    if (tunnel->fiber)
        fiber_wake(tunnel->fiber);
}

static void on_service_read(struct tcp *tcp, struct text bytes)
{
    struct ws_tunnel *tunnel = tunnel_of(tcp);
    if (!tunnel->joined) {
        buffer_add(&tunnel->in, bytes.at, bytes.size);
        tunnel->failed |= tunnel->in.failed || tunnel->in.size > WS_TUNNEL_ANSWER_MAX;
        ws_tunnel_wake(tunnel);
        return;
    }
    if (!pass(tunnel, &tunnel->to_client, bytes))
        tcp_read(tcp, false);
    if (tunnel->to_client.closed && tunnel->to_service.cut)
        tcp_close(tcp); /* it has answered our close */
}

/* Nothing more comes from the service: the client is told to come back, unless it knows better. */
static void service_left(struct ws_tunnel *tunnel)
{
    if (!tunnel->to_client.closed && !tunnel->code)
        ws_tunnel_close(tunnel, WS_CLOSE_RESTART, "restart");
    if (tunnel->to_client.cut)
        tcp_set_due(tunnel->client, clock_mono_ms() + CLOSE_MS); /* the client answers first */
    else
        end(tunnel->client);
}

static void on_service_ended(struct tcp *tcp, int error)
{
    struct ws_tunnel *tunnel = tunnel_of(tcp);
    (void)error;
    tunnel->failed = true;
    ws_tunnel_wake(tunnel);
    tcp_close(tcp);
    if (tunnel->client)
        service_left(tunnel);
}

static void on_service_written(struct tcp *tcp)
{
    struct ws_tunnel *tunnel = tunnel_of(tcp);
    if (tunnel->client)
        tcp_read(tunnel->client, true);
}

static void on_service_due(struct tcp *tcp)
{
    tcp_close(tcp);
}

void ws_tunnel_maybe_free(struct ws_tunnel *tunnel)
{
    if (!tunnel->service_gone || !tunnel->client_gone)
        return;
    if (tunnel->closed)
        tunnel->closed(tunnel->context);
    buffer_fini(&tunnel->in);
    free(tunnel);
}

static void on_service_closed(struct tcp *tcp)
{
    struct ws_tunnel *tunnel = tunnel_of(tcp);
    tunnel->service_gone = true;
    tunnel->failed = true;
    ws_tunnel_wake(tunnel);
    ws_tunnel_maybe_free(tunnel);
}

const struct tcp_events ws_tunnel_service_events = {
    .read = on_service_read, .ended = on_service_ended, .written = on_service_written, .due = on_service_due, .closed = on_service_closed};

/* ---- the client's side ---- */

static void on_client_read(void *context, struct text bytes)
{
    struct ws_tunnel *tunnel = context;
    if (tunnel->service.closing) {
        follow(tunnel, &tunnel->to_service, bytes);
    } else if (!pass(tunnel, &tunnel->to_service, bytes)) {
        tcp_read(tunnel->client, false);
    }
    if (tunnel->to_service.closed && tunnel->to_client.cut)
        end(tunnel->client); /* it has answered our close */
}

static void on_client_ended(void *context, int error)
{
    struct ws_tunnel *tunnel = context;
    (void)error;
    tcp_close(tunnel->client);
    if (!tunnel->service.closing)
        end(&tunnel->service);
}

static void on_client_written(void *context)
{
    struct ws_tunnel *tunnel = context;
    tcp_read(&tunnel->service, true);
}

static void on_client_due(void *context)
{
    struct ws_tunnel *tunnel = context;
    tcp_close(tunnel->client);
    tcp_close(&tunnel->service);
}

static void on_client_drain(void *context)
{
    ws_tunnel_close(context, WS_CLOSE_RESTART, "restart");
}

static void on_client_closed(void *context)
{
    struct ws_tunnel *tunnel = context;
    tunnel->client_gone = true;
    tunnel->client = tunnel->to_client.to = NULL;
    if (!tunnel->service.closing && !tunnel->service.ending)
        end(&tunnel->service);
    ws_tunnel_maybe_free(tunnel);
}

static const struct http_upgrade_events client_events = {.read = on_client_read, .ended = on_client_ended, .written = on_client_written,
                                                         .due = on_client_due, .drain = on_client_drain, .closed = on_client_closed};

/* ---- joining ---- */

void ws_tunnel_join(struct ws_tunnel *tunnel, struct http_upgrade *upgrade, struct text rest)
{
    tunnel->fiber = NULL;
    tunnel->joined = true;
    tunnel->client = upgrade->tcp;
    tunnel->to_client.to = tunnel->client;
    tunnel->to_service.to = &tunnel->service;
    tunnel->to_service.mask = true;
    http_upgrade_take(upgrade, &client_events, tunnel);
    tcp_set_due(tunnel->client, 0);
    pass(tunnel, &tunnel->to_client, rest);
    if (tunnel->failed) /* it ended right behind its 101, before there was a client to tell */
        service_left(tunnel);
}
