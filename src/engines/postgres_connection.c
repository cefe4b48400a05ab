/* Connecting and its end. Names are resolved by libuv's threads; libpq gets addresses. */
#include "engines/postgres_parts.h"

#include "base/clock.h"
#include "base/socket.h"
#include "engines/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT_MS 3000

/* A transaction does nothing but ask, so one that asks nothing for 5 s is of a connection that was cut: its locks hold up everybody until then.
 * Every statement has its index. Without statistics (a new table, or one that is empty most of the time, as an outbox is) the planner
 * would read whole tables, dead rows included. Where a whole table is read all the same, as to count its rows, that ban makes the plan look so
 * dear that the server would compile it and share it among processes, which takes seconds on a busy machine: ten thousand times the counting. */
static int begin_connecting(const struct postgres_address *address, const char *ip, struct postgres_connection *connection)
{
    char options[384];
    snprintf(options, sizeof options,
             "-c search_path=%s -c statement_timeout=15000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=5000"
             " -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off -c max_parallel_workers_per_gather=0",
             address->schema);
    const char *keywords[] = {"host",    "hostaddr", "port",       "user",    "password",
                              "dbname",  "options",  "sslmode",    "gssencmode", "application_name", NULL};
    const char *values[] = {address->host,     ip,      address->port,    address->user, address->password,
                            address->database, options, address->sslmode, "disable",     "purser",          NULL};
    connection->libpq = PQconnectStartParams(keywords, values, 0);
    if (!connection->libpq)
        return -ENOMEM;
    return PQstatus(connection->libpq) == CONNECTION_BAD ? -EAGAIN : 0;
}

static int finish_connecting(struct postgres_connection *connection)
{
    int64_t until = clock_mono_ms() + CONNECT_TIMEOUT_MS;
    int events = UV_WRITABLE;
    for (;;) {
        if (postgres_socket_wait(connection, events, until) < 0)
            return -EAGAIN;
        switch (PQconnectPoll(connection->libpq)) {
        case PGRES_POLLING_OK: return 0;
        case PGRES_POLLING_READING: events = UV_READABLE; break;
        case PGRES_POLLING_WRITING: events = UV_WRITABLE; break;
        default: return -EAGAIN;
        }
        if (PQsocket(connection->libpq) != connection->socket)
            postgres_socket_close(connection);
    }
}

/* A crash discards the server's statistics and notes the time. */
static int learn_incarnation(struct postgres_connection *connection)
{
    int code = postgres_queue_command(connection, "SELECT stats_reset::text FROM pg_stat_bgwriter", true);
    if (code == 0)
        code = postgres_round_trip_within(connection, CONNECT_TIMEOUT_MS);
    if (code == 0)
        snprintf(connection->incarnation, sizeof connection->incarnation, "%s", PQgetvalue(postgres_kept(connection, 0), 0, 0));
    return code;
}

static void ignore_notice(void *arg, const PGresult *result)
{
}

int postgres_connect(const struct postgres_address *address, struct postgres_connection **ret_connection, struct err *err)
{
    char ip[RESOLVE_ADDRESS_SIZE] = "";
    bool is_path = address->host[0] == '/';
    if (!is_path && resolve_address(address->host, ip) < 0)
        return err_set(err, -EAGAIN, "%s has no address", address->host);
    struct postgres_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return err_set(err, -ENOMEM, "out of memory");
    int code = begin_connecting(address, is_path ? NULL : ip, connection);
    if (code == 0)
        code = finish_connecting(connection);
    if (code == 0)
        socket_guard(PQsocket(connection->libpq));
    if (code == 0 && (PQsetnonblocking(connection->libpq, 1) || !PQenterPipelineMode(connection->libpq)))
        code = -EAGAIN;
    if (code == 0)
        code = postgres_socket_watch(connection, UV_READABLE);
    if (code == 0)
        code = learn_incarnation(connection);
    if (code < 0) {
        char *why = connection->libpq ? PQerrorMessage(connection->libpq) : NULL;
        err_set(err, code, "PostgreSQL at %s:%s: %s", address->host, address->port, why && *why ? why : "no answer");
        postgres_disconnect(connection);
        return code;
    }
    PQsetNoticeReceiver(connection->libpq, ignore_notice, NULL);
    *ret_connection = connection;
    return 0;
}

void postgres_disconnect(struct postgres_connection *connection)
{
    if (!connection)
        return;
    timer_stop(&connection->timer);
    postgres_socket_close(connection);
    postgres_drop_kept(connection);
    PQfinish(connection->libpq);
    for (unsigned i = 0; i < connection->prepared_room; i++)
        free(connection->prepared[i]);
    free(connection->prepared);
    free(connection->expected);
    free(connection->kept);
    free(connection);
}

const char *postgres_incarnation(const struct postgres_connection *connection)
{
    return connection->incarnation;
}
