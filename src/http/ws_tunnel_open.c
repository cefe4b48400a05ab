/*
 * How a tunnel comes about: a connection to the service, the client's upgrade asked for there, and either both joined or the refusal passed
 * on. Until then the opening fiber owns it.
 */
#include "base/memory.h"
#include "http/client_connection.h"
#include "http/client_request.h"
#include "http/parser.h"
#include "http/problem.h"
#include "http/ws_handshake.h"
#include "http/ws_tunnel_parts.h"

#include <errno.h>
#include <stdlib.h>

#define OPEN_MS 10000

static void on_connected(uv_connect_t *connect, int status)
{
    struct ws_tunnel *tunnel = connect->data;
    tunnel->connected = status == 0;
    tunnel->failed |= status != 0;
    ws_tunnel_wake(tunnel);
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
        ws_tunnel_maybe_free(tunnel);
    else
        tcp_close(&tunnel->service);
}

static FIBER_FN struct ws_tunnel *tunnel_new(struct ws_tunnel **ret_held)
{
    struct ws_tunnel *tunnel = memory_get_zeroed(sizeof *tunnel);
    if (!tunnel || tcp_init(&tunnel->service, &ws_tunnel_service_events)) {
        free(tunnel);
        memory_short();
    }
    tunnel->fiber = fiber_self();
    tunnel->connect.data = tunnel;
    *ret_held = tunnel;
    return tunnel;
}

static int send_upgrade(struct ws_tunnel *tunnel, struct http_request *request, const char *address, const struct http_headers *extra)
{
    struct arena *arena = request->arena;
    struct text key = http_header(&request->headers, "Sec-WebSocket-Key");
    struct http_call call = {.address = address, .method = "GET", .target = arena_copy(arena, request->target.at, request->target.size)};
    const char *protocols = websocket_offered(request);
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
    tunnel->in = (struct buffer){0};
    websocket_switch(request, protocol.at ? arena_copy(request->arena, protocol.at, protocol.size) : NULL);
    ws_tunnel_join(tunnel, request->upgrade, (struct text){in.at + head_size, in.size - head_size});
    buffer_fini(&in);
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
