/*
 * WebSockets that pass through: the client's connection joined with one to a service. Bytes go on as they come; headers of frames are read
 * beside, so that a close of our own can be put in where one frame has ended and the next has not begun. Each side is read only as fast as the
 * other takes it. A service that goes without a close is told to the client as 1012, come back.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "http/client_connection.h"
#include "http/client_request.h"
#include "http/parser.h"
#include "http/problem.h"
#include "http/upgrade.h"
#include "http/websocket.h"
#include "http/ws_frames.h"
#include "http/ws_handshake.h"

#include <errno.h>
#include <stdlib.h>

#define CLOSE_MS 5000
#define OPEN_MS 10000
#define QUEUE_MAX (64 * 1024)
#define REFUSAL_MAX (64 * 1024)

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

static void wake(struct ws_tunnel *tunnel)
{
    if (tunnel->fiber)
        fiber_wake(tunnel->fiber);
}

static void on_service_read(struct tcp *tcp, struct text bytes)
{
    struct ws_tunnel *tunnel = tunnel_of(tcp);
    if (!tunnel->joined) {
        buffer_add(&tunnel->in, bytes.at, bytes.size);
        tunnel->failed |= tunnel->in.failed || tunnel->in.size > HTTP_HEAD_MAX + REFUSAL_MAX;
        wake(tunnel);
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
    wake(tunnel);
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

static void maybe_free(struct ws_tunnel *tunnel)
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
    wake(tunnel);
    maybe_free(tunnel);
}

static const struct tcp_events service_events = {
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
    maybe_free(tunnel);
}

static const struct http_upgrade_events client_events = {.read = on_client_read, .ended = on_client_ended, .written = on_client_written,
                                                         .due = on_client_due, .drain = on_client_drain, .closed = on_client_closed};

/* ---- opening ---- */

static void on_connected(uv_connect_t *connect, int status)
{
    struct ws_tunnel *tunnel = connect->data;
    tunnel->connected = status == 0;
    tunnel->failed |= status != 0;
    wake(tunnel);
}

/* Held by the opening fiber; nothing is left of the tunnel if it does not come about. */
static void abandon(void *arg)
{
    struct ws_tunnel **held = arg, *tunnel = *held;
    *held = NULL;
    if (!tunnel)
        return;
    tunnel->fiber = NULL;
    tunnel->closed = NULL;
    tunnel->client_gone = true;
    if (tunnel->service_gone)
        maybe_free(tunnel);
    else
        tcp_close(&tunnel->service);
}

static FIBER_FN struct ws_tunnel *tunnel_new(struct ws_tunnel **ret_held)
{
    struct ws_tunnel *tunnel = memory_get_zeroed(sizeof *tunnel);
    if (!tunnel || tcp_init(&tunnel->service, &service_events)) {
        free(tunnel);
        memory_short();
    }
    tunnel->fiber = fiber_self();
    tunnel->connect.data = tunnel;
    *ret_held = tunnel;
    return tunnel;
}

/* The sub-protocols that the client offers, without those that carry a token. */
static const char *offered_protocols(struct http_request *request)
{
    struct text list = http_header(&request->headers, "Sec-WebSocket-Protocol"), part;
    const char *kept = NULL;
    while (text_split(&list, ',', &part)) {
        part = text_trim(part);
        if (!text_starts(part, text_of("bearer.")))
            kept = kept ? arena_printf(request->arena, "%s, %.*s", kept, (int)part.size, part.at)
                        : arena_printf(request->arena, "%.*s", (int)part.size, part.at);
    }
    return kept;
}

static int send_upgrade(struct ws_tunnel *tunnel, struct http_request *request, const char *address, const struct http_headers *extra)
{
    struct arena *arena = request->arena;
    struct text key = http_header(&request->headers, "Sec-WebSocket-Key");
    struct http_call call = {.address = address, .method = "GET", .target = arena_copy(arena, request->target.at, request->target.size)};
    const char *protocols = offered_protocols(request);
    for (unsigned i = 0; i < extra->count; i++)
        http_header_add(arena, &call.headers, arena_copy(arena, extra->list[i].name.at, extra->list[i].name.size),
                        arena_copy(arena, extra->list[i].value.at, extra->list[i].value.size));
    http_header_add(arena, &call.headers, "Connection", "Upgrade");
    http_header_add(arena, &call.headers, "Upgrade", "websocket");
    http_header_add(arena, &call.headers, "Sec-WebSocket-Version", "13");
    http_header_add(arena, &call.headers, "Sec-WebSocket-Key", arena_copy(arena, key.at, key.size));
    if (protocols)
        http_header_add(arena, &call.headers, "Sec-WebSocket-Protocol", protocols);
    struct buffer out = {0};
    http_request_print(&call, &out);
    int error = out.failed ? -ENOMEM : tcp_write(&tunnel->service, (struct text){out.at, out.size}, (struct text){0});
    buffer_fini(&out);
    return error;
}

/* Waits for the head of the answer and, if it refuses, for its body. The size of the head, or negative. */
static FIBER_FN long await_answer(struct ws_tunnel *tunnel, struct http_head *ret_head)
{
    for (;;) {
        struct text in = {tunnel->in.at, tunnel->in.size};
        long size = http_head_find(in, &tunnel->scanned);
        if (size < 0 || (size > 0 && http_response_parse((struct text){in.at, (size_t)size}, false, ret_head)))
            return -EPROTO;
        if (size > 0 && (ret_head->status == 101 || in.size >= (size_t)size + ret_head->content_length))
            return size;
        tunnel->scanned = 0;
        if (tunnel->failed)
            return -ECONNRESET;
        int error = fiber_wait();
        if (error)
            return error;
    }
}

static FIBER_FN long ask(struct ws_tunnel *tunnel, struct http_request *request, const char *address, const struct http_headers *extra,
                         struct http_head *ret_head)
{
    int error = tcp_connect(&tunnel->service, &tunnel->connect, address, on_connected);
    while (!error && !tunnel->connected && !tunnel->failed)
        error = fiber_wait();
    if (error || tunnel->failed)
        return error ? error : -ECONNREFUSED;
    tcp_read(&tunnel->service, true);
    error = send_upgrade(tunnel, request, address, extra);
    return error ? error : await_answer(tunnel, ret_head);
}

static void pass_refusal(struct ws_tunnel *tunnel, const struct http_head *head, size_t head_size, struct http_response *response)
{
    struct arena *arena = response->arena;
    response->status = head->status;
    for (unsigned i = 0; i < head->count; i++)
        http_header_set(arena, &response->headers, arena_copy(arena, head->headers[i].name.at, head->headers[i].name.size),
                        arena_copy(arena, head->headers[i].value.at, head->headers[i].value.size));
    response->body.size = (size_t)head->content_length;
    response->body.at = arena_copy(arena, tunnel->in.at + head_size, response->body.size);
}

static void join(struct ws_tunnel *tunnel, struct http_request *request, struct http_response *response, const struct http_head *head,
                 size_t head_size)
{
    struct http_headers headers = {(struct http_header *)head->headers, head->count, head->count};
    struct text protocol = http_header(&headers, "Sec-WebSocket-Protocol");
    struct buffer in = tunnel->in;
    websocket_switch(request, protocol.at ? arena_copy(request->arena, protocol.at, protocol.size) : NULL);
    tunnel->fiber = NULL;
    tunnel->joined = true;
    tunnel->client = request->upgrade->tcp;
    tunnel->to_client.to = tunnel->client;
    tunnel->to_service.to = &tunnel->service;
    tunnel->to_service.mask = true;
    tunnel->in = (struct buffer){0};
    http_upgrade_take(request->upgrade, &client_events, tunnel);
    tcp_set_due(tunnel->client, 0);
    pass(tunnel, &tunnel->to_client, (struct text){in.at + head_size, in.size - head_size});
    buffer_fini(&in);
    if (tunnel->failed) /* it ended right behind its 101, before there was a client to tell */
        service_left(tunnel);
    response->upgraded = true;
    response->status = 101;
}

FIBER_FN int ws_tunnel_open(struct http_request *request, struct http_response *response, const char *address,
                            const struct http_headers *extra, void (*closed)(void *context), void *context,
                            struct ws_tunnel **ret_tunnel)
{
    if (websocket_check(request, response))
        return -EPROTO;
    struct http_head *head = arena_alloc(request->arena, sizeof *head);
    struct ws_tunnel **held = arena_alloc(request->arena, sizeof *held);
    fiber_defer(abandon, held);
    struct ws_tunnel *tunnel = tunnel_new(held);
    int64_t former = fiber_narrow_deadline(OPEN_MS);
    long size = ask(tunnel, request, address, extra, head);
    fiber_set_deadline(former);
    if (size < 0) {
        if (size == -ETIMEDOUT)
            problem(response, 504, "gateway-timeout", "The service did not answer in time.");
        else
            problem_unavailable(response, 1, "The service cannot be reached.");
        abandon(held);
        return (int)size;
    }
    if (head->status != 101) {
        pass_refusal(tunnel, head, (size_t)size, response);
        abandon(held);
        return -EPROTO;
    }
    join(tunnel, request, response, head, (size_t)size);
    tunnel->closed = closed;
    tunnel->context = context;
    *held = NULL;
    *ret_tunnel = tunnel;
    return 0;
}
