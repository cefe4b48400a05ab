/*
 * Listening. Every worker has a socket of its own on the one address (SO_REUSEPORT), and the kernel spreads connections over them. The
 * address is probed without that option first, since a second process of the same user would otherwise share it in silence.
 *
 * A drain goes through three steps on every worker: answers say Connection: close; after a while, in which a balancer notices, what waits
 * is accepted and the socket closed; and all the while upgraded connections are told, spread evenly over their own while.
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/connection.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define BACKLOG 4096
#define TELL_EVERY_MS 50
/* What the kernel may hold for a client that does not read (it doubles the number); by itself it would go up to megabytes. */
#define SEND_BUFFER_SIZE (256 * 1024)

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

static int split_address(const char *listen, char *host, size_t room, const char **ret_port)
{
    const char *colon = strrchr(listen, ':');
    int64_t port;
    if (!colon || colon == listen || text_to_int64(text_of(colon + 1), &port) || port > 65535)
        return -EINVAL;
    size_t size = (size_t)(colon - listen);
    if (listen[0] == '[') {
        if (listen[size - 1] != ']')
            return -EINVAL;
        listen++;
        size -= 2;
    }
    if (size >= room)
        return -EINVAL;
    memcpy(host, listen, size);
    host[size] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static int resolve(const char *listen, struct sockaddr_storage *ret_address, socklen_t *ret_size, struct err *err)
{
    char host[256];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    if (split_address(listen, host, sizeof host, &port))
        return err_set(err, -EINVAL, "\"%s\" is no address to listen on; write host:port, such as 127.0.0.1:3000", listen);
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed)
        return err_set(err, -EADDRNOTAVAIL, "cannot listen on %s: %s", listen, gai_strerror(failed));
    memcpy(ret_address, found->ai_addr, found->ai_addrlen);
    *ret_size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int open_socket(const struct sockaddr_storage *address, socklen_t size, bool shared)
{
    int on = 1, room = SEND_BUFFER_SIZE, fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) || bind(fd, (const struct sockaddr *)address, size) ||
        listen(fd, BACKLOG)) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static int say_busy(const char *listen, int error, struct err *err)
{
    if (error == -EADDRINUSE)
        return err_set(err, error, "cannot listen on %s: another process does; stop it or choose another address", listen);
    return err_set(err, error, "cannot listen on %s: %s", listen, strerror(-error));
}

static int probe(const struct sockaddr_storage *address, socklen_t size)
{
    int fd = open_socket(address, size, false);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static void print_address(struct http_server *server, const struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        uv_ip6_name(v6, host, sizeof host);
        snprintf(server->address, sizeof server->address, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        uv_ip4_name(v4, host, sizeof host);
        snprintf(server->address, sizeof server->address, "%s:%u", host, ntohs(v4->sin_port));
    }
}

static int open_sockets(struct http_server *server, const char *listen, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t size;
    int error = resolve(listen, &address, &size, err);
    if (error)
        return error;
    error = probe(&address, size);
    for (unsigned i = 0; i < server->listener_count && !error; i++) {
        int fd = open_socket(&address, size, true);
        if (fd < 0)
            error = fd;
        else if ((server->listeners[i].fd = fd) && i == 0 && getsockname(fd, (struct sockaddr *)&address, &size))
            error = -errno;
    }
    if (error)
        return say_busy(listen, error, err);
    print_address(server, &address);
    return 0;
}

/* ---- on each worker ---- */

static void on_connection(uv_stream_t *tcp, int status)
{
    if (status == 0)
        connection_accept(tcp->data);
    else
        log_warn("cannot accept a connection", "{s:s}", "why", uv_strerror(status));
}

static void open_listener(void *arg)
{
    struct listener *listener = arg;
    int error = uv_tcp_init(worker_loop(), &listener->tcp);
    listener->tcp.data = listener;
    if (!error)
        error = uv_tcp_open(&listener->tcp, listener->fd);
    if (!error)
        error = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
    if (error)
        log_fatal("cannot listen", "{s:s, s:s}", "address", listener->server->address, "why", uv_strerror(error));
    listener->open = true;
}

/* Closing one of several sockets on an address resets the connections that wait in it: they are taken first. */
static void close_listener(struct listener *listener)
{
    int fd;
    if (!listener->open)
        return;
    listener->open = false;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        connection_adopt(listener, fd);
    uv_close((uv_handle_t *)&listener->tcp, NULL);
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
    if (now >= listener->accept_until_mono_ms)
        close_listener(listener);
    if (listener->open || !listener->sockets_told)
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

/* As many connections as the system lets this process have, not as many as it gives by default. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int http_server_start(const struct http_server_options *options, struct http_server **ret_server, struct err *err)
{
    struct http_server *server = server_new(options);
    raise_descriptor_limit();
    if (!server)
        return err_set(err, -ENOMEM, "out of memory");
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
        listener->accept_until_mono_ms = now + accept_ms;
        listener->told_until_mono_ms = now + spread_ms;
        if (worker_post(listener->worker, begin_drain, listener))
            log_warn("a worker cannot drain", NULL);
    }
}

unsigned http_server_in_flight(const struct http_server *server)
{
    unsigned count = 0;
    for (unsigned i = 0; i < server->listener_count; i++)
        count += __atomic_load_n(&server->listeners[i].busy, __ATOMIC_RELAXED);
    return count;
}

unsigned http_server_connections(const struct http_server *server)
{
    unsigned count = 0;
    for (unsigned i = 0; i < server->listener_count; i++)
        count += __atomic_load_n(&server->listeners[i].connection_count, __ATOMIC_RELAXED);
    return count;
}
