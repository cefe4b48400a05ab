/*
 * Each worker keeps a list of its own tunnels; orders to close come to it as posted calls. A tunnel whose token runs out is closed here too
 * unless it was renewed: the service behind knows of renewals and closes by itself, so the gateway only enforces ends of sessions.
 */
#include "gateway/sockets.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "http/problem.h"
#include "http/websocket.h"
#include "http/ws_tunnel.h"
#include "runtime/worker.h"
#include "service/internal.h"
#include "service/upstream.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define TRY_MS 3000 /* for an instance to take a socket, where there is another one */

struct open_socket {
    struct open_socket *next, **link;
    struct ws_tunnel *tunnel;
    struct timer closing; /* while draining */
    char session_id[64];
};

static _Thread_local struct open_socket *sockets; /* of this worker */
static unsigned count;

static void socket_closed(void *context)
{
    struct open_socket *socket = context;
    timer_stop(&socket->closing);
    *socket->link = socket->next;
    if (socket->next)
        socket->next->link = socket->link;
    free(socket);
    __atomic_sub_fetch(&count, 1, __ATOMIC_RELAXED);
}

static struct open_socket *socket_new(const char *session_id)
{
    struct open_socket *socket = calloc(1, sizeof *socket);
    if (!socket)
        memory_short();
    snprintf(socket->session_id, sizeof socket->session_id, "%s", session_id ? session_id : "");
    socket->next = sockets;
    socket->link = &sockets;
    if (sockets)
        sockets->link = &socket->next;
    sockets = socket;
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return socket;
}

static FIBER_FN int open_at(const char *address, struct http_request *request, struct http_response *response)
{
    struct http_headers extra = {0};
    internal_sign(request, &extra);
    struct open_socket *socket = socket_new(request->identity.session_id);
    int error = ws_tunnel_open(request, response, address, &extra, socket_closed, socket, &socket->tunnel);
    if (error)
        socket_closed(socket);
    return error;
}

FIBER_FN void sockets_open(const char *service, struct http_request *request, struct http_response *response)
{
    struct upstream *upstream = upstream_of(service);
    const char *user = request->identity.user_id;
    if (!user) {
        problem_unauthorized(response, NULL, "This needs an access token.");
        return;
    }
    const char *address = upstream ? upstream_pick(upstream, user, NULL) : NULL;
    if (!address) {
        problem_unavailable(response, 1, "The service cannot be reached.");
        return;
    }
    const char *other = upstream_pick(upstream, user, address);
    struct http_response before = *response;
    int64_t former = other ? fiber_narrow_deadline(TRY_MS) : fiber_deadline();
    int error = open_at(address, request, response);
    fiber_set_deadline(former);
    if (error && error != -EPROTO && error != -ECANCELED && other) { /* it is gone, or stands still */
        *response = before;
        open_at(other, request, response);
    }
}

static void end_here(void *arg)
{
    char *session_id = arg;
    struct open_socket *next;
    for (struct open_socket *socket = sockets; socket; socket = next) {
        next = socket->next;
        if (strcmp(socket->session_id, session_id) == 0 && socket->tunnel)
            ws_tunnel_close(socket->tunnel, WS_CLOSE_UNAUTHORIZED, "the session has ended");
    }
    free(session_id);
}

void sockets_end_session(const char *session_id)
{
    for (unsigned i = 0; sockets_count() && i < worker_count(); i++) {
        char *copy = strdup(session_id);
        if (copy && worker_post(worker_at(i), end_here, copy))
            free(copy);
    }
}

static void close_for_restart(void *arg)
{
    struct open_socket *socket = arg;
    if (socket->tunnel)
        ws_tunnel_close(socket->tunnel, WS_CLOSE_RESTART, "come back");
}

static void drain_here(void *arg)
{
    uint32_t spread_ms = (uint32_t)(uintptr_t)arg;
    int64_t now = clock_mono_ms();
    for (struct open_socket *socket = sockets; socket; socket = socket->next)
        timer_start(&socket->closing, now + (spread_ms ? randombytes_uniform(spread_ms) : 0), close_for_restart, socket);
}

void sockets_drain(int64_t spread_ms)
{
    static struct mail orders[WORKER_MAX]; /* a process drains once */
    for (unsigned i = 0; i < worker_count(); i++) {
        orders[i] = (struct mail){.run = drain_here, .arg = (void *)(uintptr_t)spread_ms};
        worker_send(worker_at(i), &orders[i]);
    }
}

unsigned sockets_count(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}
