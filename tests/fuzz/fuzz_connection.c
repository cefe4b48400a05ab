/*
 * A whole connection: bytes over a socket pair into the server, with WebSockets behind the path /ws. The first byte says where the rest is cut in
 * two writes. What comes back is read and dropped; at the end nothing of the connection may be left.
 */
#include "base/log.h"
#include "http/connection.h"
#include "http/websocket.h"
#include "runtime/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_message(void *context, struct websocket *socket, struct text message)
{
    assert(text_is_utf8(message) && message.size <= WEBSOCKET_MESSAGE_MAX);
    websocket_send(socket, message);
}

static const struct websocket_events events = {.message = on_message};

static void answer(void *context, struct http_request *request, struct http_response *response)
{
    struct websocket *socket;
    if (text_equal(request->path, text_of("/ws")))
        websocket_accept(request, response, NULL, &events, NULL, &socket);
    else
        respond_bytes(response, 200, "text/plain", request->body);
}

static struct listener *listener_get(void)
{
    static struct http_server server = {.name = "fuzz", .handler = {.handle = answer}};
    static struct listener listener = {.server = &server};
    struct err err;
    if (server.connections)
        return &listener;
    log_set_level(LOG_ERROR);
    if (workers_start(1, &err))
        abort();
    server.connections = gauge_get("purser_http_connections", "service=\"fuzz\"", "Open client connections");
    server.duration = histogram_get("purser_http_request_duration_seconds", "service=\"fuzz\"", "From a request's head to its answer");
    return &listener;
}

static void turn(int fd)
{
    char dropped[4096];
    for (int i = 0; i < 3; i++)
        uv_run(worker_loop(), UV_RUN_NOWAIT);
    while (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT) > 0)
        uv_run(worker_loop(), UV_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct listener *listener = listener_get();
    int ends[2];
    if (size < 2 || size > 60000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
        return 0;
    size_t cut = 1 + data[0] * (size - 1) / 256;
    connection_adopt(listener, ends[1]);
    if (cut > 1 && send(ends[0], data + 1, cut - 1, MSG_NOSIGNAL) > 0)
        turn(ends[0]);
    if (size > cut && send(ends[0], data + cut, size - cut, MSG_NOSIGNAL) > 0)
        turn(ends[0]);
    close(ends[0]);
    for (int i = 0; i < 1000 && listener->connection_count; i++)
        uv_run(worker_loop(), UV_RUN_NOWAIT);
    assert(!listener->connection_count && !listener->busy && !listener->at_work);
    return 0;
}
