/*
 * Between calls a connection waits in its worker's pool for the same address, for less long than servers keep theirs, even those that end. The one
 * that has waited longest is taken first, so that calls that come in waves, as a batch of charges does, find the last wave's connections.
 * The loop reads and takes the answer apart; the fiber whose call it is is woken when that is done.
 */
#include "http/client_connection.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define IDLE_MS 1000 /* shorter than a drain: a server that ends finds none idle, and so closes none that is taken for a call just then */
#define IDLE_MAX 256 /* connections to one address that wait in a pool: as many as a batch of messages makes calls at once */
#define CONNECT_MS 3000

/* One address, on one worker. Never freed: addresses are those of services. */
struct client_pool {
    struct client_pool *next;
    struct client_connection *newest, *oldest; /* that are idle */
    unsigned idle_count;
    char address[64];
};

static struct client_pool *pools[WORKER_MAX];

static struct client_connection *connection_of(struct tcp *tcp)
{
    return (struct client_connection *)((char *)tcp - offsetof(struct client_connection, tcp));
}

/* ---- pools ---- */

static struct client_pool *pool_of(const char *address)
{
    struct client_pool **first = &pools[worker_index(worker_self())];
    for (struct client_pool *pool = *first; pool; pool = pool->next)
        if (strcmp(pool->address, address) == 0)
            return pool;
    struct client_pool *pool = memory_get_zeroed(sizeof *pool);
    if (!pool)
        memory_short();
    snprintf(pool->address, sizeof pool->address, "%s", address);
    pool->next = *first;
    *first = pool;
    return pool;
}

static void leave_idle(struct client_connection *connection)
{
    struct client_pool *pool = connection->pool;
    if (!connection->is_idle)
        return;
    connection->is_idle = false;
    pool->idle_count--;
    *(connection->older ? &connection->older->newer : &pool->oldest) = connection->newer;
    *(connection->newer ? &connection->newer->older : &pool->newest) = connection->older;
    connection->newer = connection->older = NULL;
}

/* Closes it, and nobody finds it in the pool until that is done. */
static void drop(struct client_connection *connection)
{
    leave_idle(connection);
    tcp_close(&connection->tcp);
}

static void connection_free(struct client_connection *connection)
{
    client_answer_fini(&connection->answer);
    free(connection);
}

static void become_idle(struct client_connection *connection)
{
    struct client_pool *pool = connection->pool;
    connection->fiber = NULL;
    if (connection->tcp.closing || pool->idle_count == IDLE_MAX) {
        tcp_close(&connection->tcp);
        return;
    }
    connection->is_idle = true;
    connection->older = pool->newest;
    *(pool->newest ? &pool->newest->newer : &pool->oldest) = connection;
    pool->newest = connection;
    pool->idle_count++;
    tcp_set_due(&connection->tcp, clock_mono_ms() + IDLE_MS);
}

/* ---- on the loop ---- */

static void finish(struct client_connection *connection, int error)
{
    if (connection->done || !connection->fiber)
        return;
    connection->done = true;
    connection->error = error;
    fiber_wake(connection->fiber);
}

static void on_read(struct tcp *tcp, struct text bytes)
{
    struct client_connection *connection = connection_of(tcp);
    if (!connection->fiber || connection->done) {
        drop(connection); /* nobody asked */
        return;
    }
    int result = client_answer_take(&connection->answer, bytes);
    if (result)
        finish(connection, result < 0 ? result : 0);
}

static void on_ended(struct tcp *tcp, int error)
{
    struct client_connection *connection = connection_of(tcp);
    bool whole = !error && client_answer_is_whole_at_end(&connection->answer);
    finish(connection, whole ? 0 : error == -EPIPE || !error ? -ECONNRESET : error);
    drop(connection);
}

static void on_due(struct tcp *tcp)
{
    drop(connection_of(tcp));
}

static void on_closed(struct tcp *tcp)
{
    struct client_connection *connection = connection_of(tcp);
    connection->closed = true;
    finish(connection, -ECONNRESET);
    if (!connection->fiber)
        connection_free(connection); /* else its call does */
}

static const struct tcp_events events = {.read = on_read, .ended = on_ended, .due = on_due, .closed = on_closed};

/* ---- connecting ---- */

static int parse_address(const char *address, struct sockaddr_storage *ret_address)
{
    char host[64];
    int64_t port;
    const char *colon = strrchr(address, ':');
    bool v6 = address[0] == '[';
    if (!colon || text_to_int64(text_of(colon + 1), &port) || port < 1 || port > 65535)
        return -EINVAL;
    size_t size = (size_t)(colon - address) - (v6 ? 2 : 0);
    if (size >= sizeof host || (v6 && colon[-1] != ']'))
        return -EINVAL;
    memcpy(host, address + v6, size);
    host[size] = '\0';
    return v6 ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret_address)
              : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret_address);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct client_connection *connection = connect->data;
    if (connection->tcp.closing)
        return;
    connection->connected = status == 0;
    if (status)
        finish(connection, status);
    else if (connection->fiber)
        fiber_wake(connection->fiber);
}

int tcp_connect(struct tcp *tcp, uv_connect_t *connect, const char *address, uv_connect_cb connected)
{
    struct sockaddr_storage target;
    int error = parse_address(address, &target);
    if (!error)
        error = uv_tcp_connect(connect, &tcp->handle, (struct sockaddr *)&target, connected);
    if (error)
        return error;
    uv_os_fd_t fd;
    uv_tcp_nodelay(&tcp->handle, 1);
    if (uv_fileno((uv_handle_t *)&tcp->handle, &fd) == 0)
        socket_guard(fd);
    return 0;
}

static FIBER_FN int wait_connected(struct client_connection *connection)
{
    int64_t former = fiber_narrow_deadline(CONNECT_MS);
    int error = 0;
    while (!connection->connected && !connection->done && !error)
        error = fiber_wait();
    fiber_set_deadline(former);
    return error ? error : connection->done ? connection->error : 0;
}

static FIBER_FN int open_connection(struct client_pool *pool, struct lease *lease)
{
    struct client_connection *connection = memory_get_zeroed(sizeof *connection);
    if (!connection || tcp_init(&connection->tcp, &events)) {
        free(connection);
        memory_short();
    }
    connection->pool = pool;
    connection->fiber = fiber_self();
    connection->connect.data = connection;
    lease->connection = connection;
    int error = tcp_connect(&connection->tcp, &connection->connect, pool->address, on_connected);
    return error ? error : wait_connected(connection);
}

/* ---- what a fiber holds ---- */

static void release(void *arg)
{
    struct lease *lease = arg;
    struct client_connection *connection = lease->connection;
    lease->connection = NULL;
    if (!connection)
        return;
    connection->fiber = NULL;
    if (connection->closed)
        connection_free(connection);
    else
        tcp_close(&connection->tcp);
}

FIBER_FN int client_connection_take(const char *address, struct lease *lease, bool *ret_reused)
{
    struct client_pool *pool = pool_of(address);
    fiber_defer(release, lease);
    lease->connection = pool->oldest;
    *ret_reused = lease->connection != NULL;
    if (!lease->connection)
        return open_connection(pool, lease);
    leave_idle(lease->connection);
    return 0;
}

void client_connection_rest(struct lease *lease)
{
    struct client_connection *connection = lease->connection;
    lease->connection = NULL;
    client_answer_fini(&connection->answer);
    become_idle(connection);
}

void client_connection_drop(struct lease *lease)
{
    release(lease);
}
