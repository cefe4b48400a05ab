/* How a client's connection begins: accepted by a listener, or adopted from whoever accepted it. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/settings.h"
#include "http/connection.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_MS 50

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
    struct connection *connection = memory_get_zeroed(sizeof *connection);
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

static void begin(struct connection *connection)
{
    struct listener *listener = connection->listener;
    note_address(connection);
    uv_tcp_nodelay(&connection->tcp.handle, 1);
    if (listener->connection_count > (unsigned)settings_number("max_connections")) {
        connection_refuse(connection, 503, "There are too many connections at the moment.");
        return;
    }
    connection_settle(connection, true);
}

static void accept_again(void *arg)
{
    struct listener *listener = arg;
    if (listener->open)
        connection_accept(listener);
}

/* A connection that is not taken keeps libuv from listening on. */
void connection_accept(struct listener *listener)
{
    struct connection *connection = connection_new(listener);
    if (!connection) {
        timer_start(&listener->again, clock_mono_ms() + AGAIN_MS, accept_again, listener);
        return;
    }
    if (uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&connection->tcp.handle))
        tcp_close(&connection->tcp);
    else
        begin(connection);
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
