/*
 * libpq without blocking: the socket is watched by the worker's loop, and a fiber that waits for an answer is parked with a time of its
 * own, so that an engine that went silent is noticed.
 */
#include "engines/postgres_parts.h"

#include <errno.h>
#include <stdlib.h>

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void wake(struct postgres_connection *connection)
{
    struct fiber *fiber = connection->waiting;
    connection->waiting = NULL;
    if (fiber)
        fiber_wake(fiber);
}

static void on_timer(void *arg)
{
    struct postgres_connection *connection = arg;
    connection->timed_out = true;
    wake(connection);
}

void postgres_tell_notices(struct postgres_connection *connection)
{
    PGnotify *notice;
    bool others = false;
    while ((notice = PQnotifies(connection->libpq))) {
        others |= notice->be_pid != PQbackendPID(connection->libpq);
        PQfreemem(notice);
    }
    if (others && connection->on_notice)
        connection->on_notice(connection->on_notice_arg);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct postgres_connection *connection = poll->data;
    if (connection->waiting) {
        wake(connection);
        return;
    }
    if (connection->lost || PQstatus(connection->libpq) != CONNECTION_OK)
        return;
    if (status < 0 || !PQconsumeInput(connection->libpq)) {
        connection->lost = true;
        uv_poll_stop(poll);
        if (connection->on_lost)
            connection->on_lost(connection->on_lost_arg);
        return;
    }
    postgres_tell_notices(connection);
}

void postgres_socket_close(struct postgres_connection *connection)
{
    if (connection->poll)
        uv_close((uv_handle_t *)connection->poll, free_handle);
    connection->poll = NULL;
    connection->events = 0;
}

int postgres_socket_watch(struct postgres_connection *connection, int events)
{
    int socket = PQsocket(connection->libpq);
    if (connection->poll && socket != connection->socket)
        postgres_socket_close(connection);
    if (!connection->poll) {
        uv_poll_t *poll = calloc(1, sizeof *poll);
        if (!poll || uv_poll_init_socket(worker_loop(), poll, socket) < 0) {
            free(poll);
            return -EAGAIN;
        }
        poll->data = connection;
        connection->poll = poll;
        connection->socket = socket;
    }
    if (connection->events != events && uv_poll_start(connection->poll, events, on_socket) < 0)
        return -EAGAIN;
    connection->events = events;
    return 0;
}

int postgres_socket_wait(struct postgres_connection *connection, int events, int64_t until_mono_ms)
{
    if (postgres_socket_watch(connection, events) < 0)
        return -EAGAIN;
    connection->timed_out = false;
    connection->waiting = fiber_self();
    timer_start(&connection->timer, until_mono_ms, on_timer, connection);
    fiber_wait_uninterrupted();
    timer_stop(&connection->timer);
    connection->waiting = NULL;
    return connection->timed_out || connection->lost ? -EAGAIN : 0;
}

int postgres_lose(struct postgres_connection *connection)
{
    connection->lost = true;
    if (connection->poll) /* the socket may be readable for ever */
        uv_poll_stop(connection->poll);
    connection->events = 0;
    return -EAGAIN;
}

void postgres_break(struct postgres_connection *connection)
{
    postgres_lose(connection);
    wake(connection);
}

bool postgres_is_lost(const struct postgres_connection *connection)
{
    return connection->lost;
}

void postgres_watch(struct postgres_connection *connection, void (*lost)(void *arg), void *arg)
{
    connection->on_lost = lost;
    connection->on_lost_arg = arg;
}

void postgres_listen(struct postgres_connection *connection, void (*heard)(void *arg), void *arg)
{
    connection->on_notice = heard;
    connection->on_notice_arg = arg;
}
