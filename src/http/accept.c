/*
 * How a client's connection begins: accepted by a listener, or adopted from whoever accepted it. libuv's own accepting goes round for ever where
 * two loops have no descriptor left, and closes none meanwhile; so a listener is a descriptor that is looked at here.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/settings.h"
#include "http/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS 50
#define SAY_MS 1000
#define ACCEPTS_MAX 64 /* before the loop turns to others */

static void note_address(struct connection *connection)
{
    struct sockaddr_storage peer;
    int size = sizeof peer;
    if (uv_tcp_getpeername(&connection->tcp.handle, (struct sockaddr *)&peer, &size))
        return;
    if (peer.ss_family == AF_INET6)
        uv_ip6_name((struct sockaddr_in6 *)&peer, connection->address, sizeof connection->address);
    else
        uv_ip4_name((struct sockaddr_in *)&peer, connection->address, sizeof connection->address);
    if (strncmp(connection->address, "::ffff:", 7) == 0 && strchr(connection->address, '.'))
        memmove(connection->address, connection->address + 7, strlen(connection->address + 7) + 1);
}

static struct connection *connection_new(struct listener *listener)
{
    struct connection *connection = listener->spare ? listener->spare : memory_get_zeroed(sizeof *connection);
    listener->spare = NULL;
    if (!connection)
        return NULL;
    if (tcp_init(&connection->tcp, &connection_events)) {
        free(connection);
        return NULL;
    }
    connection->tcp.of_client = true;
    connection->listener = listener;
    connection->upgrade.tcp = &connection->tcp;
    connection->next = listener->connections;
    if (connection->next)
        connection->next->previous = connection;
    listener->connections = connection;
    __atomic_store_n(&listener->connection_count, listener->connection_count + 1, __ATOMIC_RELAXED);
    gauge_add(listener->server->connections, 1);
    return connection;
}

static unsigned room(const struct listener *listener)
{
    unsigned set = (unsigned)settings_number("max_connections"), descriptors = listener->server->descriptors;
    return set < descriptors ? set : descriptors;
}

static void begin(struct connection *connection)
{
    struct listener *listener = connection->listener;
    note_address(connection);
    uv_tcp_nodelay(&connection->tcp.handle, 1);
    if (listener->connection_count > room(listener)) {
        connection_refuse(connection, 503, "There are too many connections at the moment.");
        return;
    }
    connection_settle(connection, true);
}

static void accept_again(void *arg)
{
    struct listener *listener = arg;
    if (listener->open)
        connection_listen(listener);
}

/* Whoever is not taken waits in the system's line, and is taken when somebody has left; those who are here are served meanwhile. */
static void accept_later(struct listener *listener, int error)
{
    int64_t now = clock_mono_ms();
    uv_poll_stop(&listener->poll);
    timer_start(&listener->again, now + AGAIN_MS, accept_again, listener);
    if (listener->said_mono_ms && now - listener->said_mono_ms < SAY_MS)
        return;
    listener->said_mono_ms = now;
    log_warn("cannot accept connections", "{s:s, s:s}", "service", listener->server->name, "why", strerror(error));
}

static bool is_the_clients(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO;
}

static void on_clients(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct listener *listener = poll->data;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        if (!listener->spare && !(listener->spare = memory_get_zeroed(sizeof *listener->spare))) {
            accept_later(listener, ENOMEM);
            return;
        }
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            connection_adopt(listener, fd);
        else if (errno == EAGAIN)
            return;
        else if (!is_the_clients(errno)) {
            accept_later(listener, errno);
            return;
        }
    }
}

int connection_listen(struct listener *listener)
{
    return uv_poll_start(&listener->poll, UV_READABLE, on_clients);
}

void connection_adopt(struct listener *listener, int fd)
{
    struct connection *connection = connection_new(listener);
    if (!connection) {
        close(fd);
    } else if (uv_tcp_open(&connection->tcp.handle, fd)) {
        close(fd);
        tcp_close(&connection->tcp);
    } else {
        begin(connection);
    }
}
