/*
 * Listening: every worker has a socket of its own on the one address (listen.c).
 *
 * A drain goes through steps on every worker: answers say Connection: close; after a while, in which a balancer notices, no new connection
 * begins; what has begun is accepted and the socket closed; whoever came last is given time for a first request. All the while upgraded
 * connections are told, spread evenly over their own while.
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/connection.h"
#include "http/listen.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TELL_EVERY_MS 50
#define HANDSHAKE_MS 100     /* in which a connection that has begun is whole */
#define FIRST_REQUEST_MS 500 /* in which it sends its first request */
#define DESCRIPTORS_ELSE 256

static struct http_server *servers; /* all that were started, for as long as the process lives */

/* ---- one answer, counted and logged ---- */

static struct counter *counter_of(struct http_server *server, int status)
{
    struct counter **place = &server->by_status[status >= 0 && status < STATUS_MAX ? status : 0];
    struct counter *counter = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (!counter) {
        char labels[96];
        snprintf(labels, sizeof labels, "service=\"%s\",status=\"%d\"", server->name, status);
        counter = counter_get("purser_http_requests_total", labels, "Requests answered");
        __atomic_store_n(place, counter, __ATOMIC_RELEASE);
    }
    return counter;
}

void server_note(struct http_server *server, const struct http_exchange *exchange, const struct trace *trace, int status, size_t bytes)
{
    int64_t us = exchange ? clock_mono_us() - exchange->began_us : 0;
    bool parsed = exchange && exchange->head.path.at;
    const struct text method = parsed ? exchange->head.method_name : text_of("-"), path = parsed ? exchange->head.path : text_of("-");
    const char *route = exchange && exchange->request.route ? exchange->request.route : "";
    counter_add(counter_of(server, status), 1);
    histogram_observe_us(server->duration, us);
    log_info("request", "{s:s, s:s, s:s%, s:s, s:s%, s:i, s:I, s:I}", "request_id", trace->request_id, "service", server->name, "method",
             method.at, method.size, "route", route, "path", path.at, path.size, "status", status, "us", (json_int_t)us, "bytes",
             (json_int_t)bytes);
}

/* ---- sockets ---- */

static int open_sockets(struct http_server *server, const char *listen, struct err *err)
{
    int fds[WORKER_MAX];
    int error = listen_open(listen, server->listener_count, fds, server->address, sizeof server->address, err);
    for (unsigned i = 0; i < server->listener_count && !error; i++)
        server->listeners[i].fd = fds[i];
    return error;
}

/* ---- on each worker ---- */

static void open_listener(void *arg)
{
    struct listener *listener = arg;
    int error = listen(listener->fd, LISTEN_BACKLOG) ? -errno : uv_poll_init(worker_loop(), &listener->poll, listener->fd);
    listener->poll.data = listener;
    if (!error)
        error = connection_listen(listener);
    if (error)
        log_fatal("cannot listen", "{s:s, s:s}", "address", listener->server->address, "why", uv_strerror(error));
    listener->open = true;
}

/* ---- drain ---- */

static void close_listener(struct listener *listener)
{
    int fd;
    if (!listener->open)
        return;
    listener->open = false;
    timer_stop(&listener->again);
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        connection_adopt(listener, fd);
    uv_close((uv_handle_t *)&listener->poll, NULL);
    close(listener->fd);
    listener->fd = -1;
}

/* Whether a connection's first request may still be on its way. */
static bool has_fresh(const struct listener *listener)
{
    for (const struct connection *c = listener->connections; c; c = c->next)
        if (c->state == CONNECTION_HEAD && !c->asked)
            return true;
    return false;
}

static bool is_next_step_due(const struct listener *listener, int64_t now)
{
    return now >= listener->next_step_mono_ms || (listener->listening == LISTENER_CLOSED && !has_fresh(listener));
}

/* Stops to listen step by step, so that whoever was let in can ask. */
static void stop_listening(struct listener *listener, int64_t now)
{
    if (listener->listening == LISTENER_DONE || !is_next_step_due(listener, now))
        return;
    if (listener->listening == LISTENER_OPEN) {
        listen_refuse_new(listener->fd);
        listener->next_step_mono_ms = now + HANDSHAKE_MS;
    } else if (listener->listening == LISTENER_REFUSES) {
        close_listener(listener);
        listener->next_step_mono_ms = now + FIRST_REQUEST_MS;
    }
    __atomic_store_n(&listener->listening, listener->listening + 1, __ATOMIC_RELAXED);
}

static unsigned count_untold(const struct listener *listener)
{
    unsigned count = 0;
    for (const struct connection *c = listener->connections; c; c = c->next)
        count += c->state == CONNECTION_UPGRADED && !c->told;
    return count;
}

/* Tells so many of the upgraded connections that all are told in time. */
static void tell_some(struct listener *listener, int64_t now)
{
    int64_t steps = (listener->told_until_mono_ms - now) / TELL_EVERY_MS;
    unsigned untold = count_untold(listener), wanted = steps > 0 ? (untold + (unsigned)steps - 1) / (unsigned)steps : untold;
    for (struct connection *c = listener->connections, *next; c && wanted; c = next) {
        next = c->next;
        wanted -= c->state == CONNECTION_UPGRADED && !c->told;
        connection_tell_drain(c);
    }
    listener->sockets_told = steps <= 0;
}

static void drain_step(void *arg)
{
    struct listener *listener = arg;
    int64_t now = clock_mono_ms();
    if (!listener->sockets_told)
        tell_some(listener, now);
    stop_listening(listener, now);
    if (listener->listening != LISTENER_DONE || !listener->sockets_told)
        timer_start(&listener->timer, now + TELL_EVERY_MS, drain_step, listener);
}

static void begin_drain(void *arg)
{
    struct listener *listener = arg;
    listener->draining = true;
    drain_step(listener);
}

/* ---- for the outside ---- */

static void free_server(struct http_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++)
        if (server->listeners[i].fd >= 0)
            close(server->listeners[i].fd);
    free(server->listeners);
    free(server);
}

static struct http_server *server_new(const struct http_server_options *options)
{
    char labels[96];
    struct http_server *server = memory_get_zeroed(sizeof *server);
    struct listener *listeners = memory_get_zeroed(worker_count() * sizeof *listeners);
    if (!server || !listeners) {
        free(server);
        free(listeners);
        return NULL;
    }
    *server = (struct http_server){
        .name = options->name,
        .handler = options->handler,
        .decorate = options->decorate,
        .listeners = listeners,
        .listener_count = worker_count(),
    };
    for (unsigned i = 0; i < server->listener_count; i++)
        listeners[i] = (struct listener){.fd = -1, .server = server, .worker = worker_at(i)};
    snprintf(labels, sizeof labels, "service=\"%s\"", options->name);
    server->connections = gauge_get("purser_http_connections", labels, "Open client connections");
    server->duration = histogram_get("purser_http_request_duration_seconds", labels, "From a request's head to its answer");
    return server;
}

/* As many connections as the system lets this process have, not as many as it gives by default, and of those not all: files, engines and
 * functions need descriptors, too. */
static unsigned raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return UINT_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    rlim_t most = limit.rlim_max / 4 * 3, kept = most < DESCRIPTORS_ELSE ? most : DESCRIPTORS_ELSE,
           each = (limit.rlim_max - kept) / worker_count();
    return each < UINT_MAX ? (unsigned)each : UINT_MAX;
}

int http_server_check(const char *listen, struct err *err)
{
    return listen_check(listen, err);
}

int http_server_start(const struct http_server_options *options, struct http_server **ret_server, struct err *err)
{
    struct http_server *server = server_new(options);
    if (!server)
        return err_set(err, -ENOMEM, "out of memory");
    server->descriptors = raise_descriptor_limit();
    int error = open_sockets(server, options->listen, err);
    for (unsigned i = 0; i < server->listener_count && !error; i++) {
        error = worker_post(server->listeners[i].worker, open_listener, &server->listeners[i]);
        if (error)
            log_fatal("cannot listen", "{s:s, s:s}", "address", server->address, "why", strerror(-error));
    }
    if (error) {
        free_server(server);
        return error;
    }
    server->next = servers;
    servers = server;
    *ret_server = server;
    return 0;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

void http_server_drain(struct http_server *server, int64_t accept_ms, int64_t spread_ms)
{
    int64_t now = clock_mono_ms();
    for (unsigned i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];
        listener->next_step_mono_ms = now + accept_ms;
        listener->told_until_mono_ms = now + spread_ms;
        __atomic_store_n(&listener->ends, true, __ATOMIC_RELAXED);
        if (worker_post(listener->worker, begin_drain, listener)) {
            __atomic_store_n(&listener->ends, false, __ATOMIC_RELAXED);
            log_warn("a worker cannot drain", NULL);
        }
    }
}

unsigned http_server_in_flight(const struct http_server *server)
{
    unsigned count = 0;
    for (unsigned i = 0; i < server->listener_count; i++) {
        const struct listener *listener = &server->listeners[i];
        count += __atomic_load_n(&listener->busy, __ATOMIC_RELAXED);
        count += __atomic_load_n(&listener->ends, __ATOMIC_RELAXED) && __atomic_load_n(&listener->listening, __ATOMIC_RELAXED) != LISTENER_DONE;
    }
    return count;
}
