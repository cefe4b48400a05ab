/*
 * A client's connection: bytes in, whole requests out, one at a time and in order. It is a small machine: reading a head, reading a body, a
 * request at work, a pause after an answer that asked for one, lingering after the last answer, or taken over. A fiber exists in the third
 * state alone; in the first, between requests, no buffer either.
 *
 * What comes while a request is at work is kept up to a limit, then the system keeps it. A client that stops sending (a half close) still
 * gets its answer, but its fiber is cancelled soon after, since most such clients are gone; a broken connection cancels at once.
 */
#include "http/connection.h"

#include "base/clock.h"
#include "base/settings.h"

#include <stdlib.h>

#define IDLE_MS 75000
#define LINGER_MS 2000
#define HANG_UP_MS 2000
#define WRITE_MS 30000 /* in which a client takes some of an answer */
#define PIPELINE_MAX (64 * 1024)

static struct connection *connection_of(struct tcp *tcp)
{
    return (struct connection *)((char *)tcp - offsetof(struct connection, tcp));
}

/* Whether anything of a client's request or our answer is under way. */
void connection_count_busy(struct connection *connection)
{
    bool idle = connection->state == CONNECTION_HEAD && !connection->in.size && !tcp_queued(&connection->tcp);
    bool busy = !idle && !connection->tcp.closing;
    busy |= connection->state == CONNECTION_WORK;
    if (busy == connection->counted)
        return;
    connection->counted = busy;
    struct listener *listener = connection->listener;
    __atomic_store_n(&listener->busy, busy ? listener->busy + 1 : listener->busy - 1, __ATOMIC_RELAXED);
}

static void await_written(struct connection *connection)
{
    connection->unwritten = tcp_unwritten(&connection->tcp);
    tcp_set_due(&connection->tcp, clock_mono_ms() + WRITE_MS);
}

/* By when something has to happen. */
static void set_due(struct connection *connection, bool moved)
{
    int64_t now = clock_mono_ms();
    struct tcp *tcp = &connection->tcp;
    if (connection->state == CONNECTION_WORK)
        tcp_set_due(tcp, connection->ended ? now + HANG_UP_MS : 0);
    else if (connection->state == CONNECTION_PAUSE)
        return; /* it was set as the pause began */
    else if (tcp_queued(tcp))
        await_written(connection);
    else if (connection->state == CONNECTION_BODY || (connection->state == CONNECTION_HEAD && connection->in.size)) {
        if (moved || !tcp->due_mono_ms)
            tcp_set_due(tcp, now + settings_duration_ms("head_timeout"));
    } else if (connection->state == CONNECTION_HEAD) {
        tcp_set_due(tcp, now + IDLE_MS);
    }
}

/* ---- the last answer ---- */

/* Tells the client that no more comes, and reads on for a while: closing with bytes unread would reset what is on its way to it. */
static void linger(struct connection *connection)
{
    if (connection->ended && !tcp_queued(&connection->tcp)) {
        tcp_close(&connection->tcp);
        return;
    }
    connection->state = CONNECTION_LINGER;
    buffer_fini(&connection->in);
    tcp_end(&connection->tcp);
    tcp_read(&connection->tcp, true);
    if (tcp_queued(&connection->tcp))
        await_written(connection);
    else
        tcp_set_due(&connection->tcp, clock_mono_ms() + LINGER_MS);
}

void connection_refuse(struct connection *connection, int status, const char *why)
{
    struct http_exchange *exchange = connection->exchange;
    bool written = exchange_refuse(connection, exchange, status, why, true);
    if (exchange)
        exchange_free(exchange);
    connection->exchange = NULL;
    if (written)
        linger(connection);
    else
        tcp_close(&connection->tcp);
}

/* ---- from bytes to requests ---- */

/* Keeps what is left for later; an idle connection keeps no buffer. */
static void keep_rest(struct connection *connection, struct text rest)
{
    struct buffer *in = &connection->in;
    if (connection->state == CONNECTION_LINGER || !rest.size) {
        buffer_fini(in);
        return;
    }
    if (rest.at >= in->at && in->at && rest.at <= in->at + in->size)
        buffer_take(in, in->size - rest.size);
    else
        buffer_add(in, rest.at, rest.size);
    if (in->failed)
        tcp_close(&connection->tcp);
}

/* Whether a request is at work, or one that is there is taken after a pause. */
static bool has_request(const struct connection *connection)
{
    return connection->state == CONNECTION_WORK || (connection->state == CONNECTION_PAUSE && connection->in.size);
}

void connection_settle(struct connection *connection, bool moved)
{
    if (connection->ended && !has_request(connection) && !tcp_queued(&connection->tcp)) {
        tcp_close(&connection->tcp); /* nobody will send the rest */
    } else if (!connection->tcp.closing && connection->state != CONNECTION_LINGER && connection->state != CONNECTION_UPGRADED) {
        set_due(connection, moved);
        tcp_read(&connection->tcp, !connection->ended && connection->state != CONNECTION_PAUSE && connection->in.size < PIPELINE_MAX);
    }
    connection_count_busy(connection);
}

void connection_tell_drain(struct connection *connection)
{
    if (connection->state != CONNECTION_UPGRADED || connection->told || connection->tcp.closing)
        return;
    connection->told = true;
    connection->upgrade.events->drain(connection->upgrade.context);
}

/* The bytes behind the request that was taken over, and the drain if that has begun. */
static void hand_over(struct connection *connection, struct text rest)
{
    if (rest.size && !connection->tcp.closing)
        connection->upgrade.events->read(connection->upgrade.context, rest);
    if (connection->listener->sockets_told)
        connection_tell_drain(connection);
}

/* Takes requests from what was kept and what came now, as far as they go. */
static void advance(struct connection *connection, struct text fresh)
{
    bool first = connection->state == CONNECTION_HEAD && !connection->in.size;
    struct text rest = fresh;
    if (connection->in.size) {
        buffer_add(&connection->in, fresh.at, fresh.size);
        rest = (struct text){connection->in.at, connection->in.size};
    }
    if (connection->in.failed) {
        tcp_close(&connection->tcp);
        return;
    }
    size_t before = rest.size;
    connection->advancing = true;
    while (request_take(connection, &rest))
        ;
    connection->advancing = false;
    if (connection->state == CONNECTION_UPGRADED) {
        hand_over(connection, rest);
        rest.size = 0;
    }
    keep_rest(connection, rest);
    connection_settle(connection, first || connection->state == CONNECTION_BODY || rest.size < before);
}

/* ---- after an answer ---- */

static void maybe_free(struct connection *connection)
{
    if (!connection->closed || connection->state == CONNECTION_WORK)
        return;
    if (connection->exchange)
        exchange_free(connection->exchange);
    buffer_fini(&connection->in);
    free(connection);
}

static void become_upgraded(struct connection *connection)
{
    connection->state = CONNECTION_UPGRADED;
    if (connection->advancing)
        return; /* advance hands over what is left */
    struct buffer in = connection->in;
    connection->in = (struct buffer){0};
    tcp_read(&connection->tcp, !connection->ended);
    hand_over(connection, (struct text){in.at, in.size});
    buffer_fini(&in);
}

/* Until its end nothing is read or taken. It is counted as busy: what was sent meanwhile is answered before a drain ends. */
static void begin_pause(struct connection *connection, int pause_ms)
{
    connection->state = CONNECTION_PAUSE;
    tcp_set_due(&connection->tcp, clock_mono_ms() + pause_ms);
}

static void end_pause(struct connection *connection)
{
    connection->state = CONNECTION_HEAD;
    advance(connection, (struct text){"", 0});
}

void connection_answered(struct connection *connection, bool close, int pause_ms)
{
    if (connection->closed) {
        if (connection->upgrade.events)
            connection->upgrade.events->closed(connection->upgrade.context);
        connection->state = CONNECTION_LINGER;
        connection_count_busy(connection);
        maybe_free(connection);
        return;
    }
    if (connection->upgrade.events) {
        become_upgraded(connection);
        connection_count_busy(connection);
        return;
    }
    connection->state = CONNECTION_HEAD;
    if (close && !connection->tcp.closing)
        linger(connection);
    else if (!close && pause_ms)
        begin_pause(connection, pause_ms);
    if (connection->advancing)
        return;
    if (connection->state == CONNECTION_HEAD && connection->in.size)
        advance(connection, (struct text){"", 0});
    else
        connection_settle(connection, true);
}

/* ---- events of the tcp ---- */

static void on_read(struct tcp *tcp, struct text bytes)
{
    struct connection *connection = connection_of(tcp);
    switch (connection->state) {
    case CONNECTION_UPGRADED:
        connection->upgrade.events->read(connection->upgrade.context, bytes);
        return;
    case CONNECTION_LINGER:
        return;
    case CONNECTION_PAUSE:
    case CONNECTION_WORK:
        buffer_add(&connection->in, bytes.at, bytes.size);
        if (connection->in.failed)
            tcp_close(tcp);
        else if (connection->in.size >= PIPELINE_MAX)
            tcp_read(tcp, false);
        return;
    default:
        advance(connection, bytes);
    }
}

static void cancel(struct connection *connection)
{
    if (connection->exchange->fiber)
        fiber_cancel(connection->exchange->fiber);
}

static void on_ended(struct tcp *tcp, int error)
{
    struct connection *connection = connection_of(tcp);
    if (connection->state == CONNECTION_UPGRADED) {
        connection->upgrade.events->ended(connection->upgrade.context, error);
        return;
    }
    connection->ended = true;
    if (error) {
        if (connection->state == CONNECTION_WORK)
            cancel(connection);
        tcp_close(tcp);
    } else if (connection->state == CONNECTION_LINGER) {
        linger(connection);
    } else {
        connection_settle(connection, true);
    }
}

static void on_written(struct tcp *tcp)
{
    struct connection *connection = connection_of(tcp);
    if (connection->state == CONNECTION_UPGRADED)
        connection->upgrade.events->written(connection->upgrade.context);
    else if (connection->state == CONNECTION_LINGER)
        linger(connection);
    else if (connection->state != CONNECTION_WORK && connection->state != CONNECTION_PAUSE)
        advance(connection, (struct text){"", 0});
}

static void on_due(struct tcp *tcp)
{
    struct connection *connection = connection_of(tcp);
    if (connection->state == CONNECTION_UPGRADED)
        connection->upgrade.events->due(connection->upgrade.context);
    else if (connection->state == CONNECTION_WORK)
        cancel(connection);
    else if (connection->state == CONNECTION_PAUSE)
        end_pause(connection);
    else if (tcp_queued(tcp) && tcp_unwritten(tcp) < connection->unwritten)
        await_written(connection); /* slow, but reading */
    else if (connection->state == CONNECTION_LINGER || tcp_queued(tcp) || (connection->state == CONNECTION_HEAD && !connection->in.size))
        tcp_close(tcp);
    else
        connection_refuse(connection, 408, "The request did not come in time.");
    connection_count_busy(connection);
}

static void on_closed(struct tcp *tcp)
{
    struct connection *connection = connection_of(tcp);
    struct listener *listener = connection->listener;
    connection->closed = true;
    connection_count_busy(connection);
    if (connection->next)
        connection->next->previous = connection->previous;
    *(connection->previous ? &connection->previous->next : &listener->connections) = connection->next;
    __atomic_store_n(&listener->connection_count, listener->connection_count - 1, __ATOMIC_RELAXED);
    gauge_add(listener->server->connections, -1);
    if (connection->state == CONNECTION_WORK)
        return; /* its fiber tells when it is done */
    if (connection->state == CONNECTION_UPGRADED)
        connection->upgrade.events->closed(connection->upgrade.context);
    maybe_free(connection);
}

const struct tcp_events connection_events = {.read = on_read, .ended = on_ended, .written = on_written, .due = on_due, .closed = on_closed};
