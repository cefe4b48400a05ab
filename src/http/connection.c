/*
 * A client's connection: bytes in, whole requests out, one at a time and in order. It is a small machine: reading a head, reading a body, a
 * request at work, lingering after the last answer, or taken over. A fiber exists in the third state alone; in the first, between
 * requests, no buffer either.
 *
 * What comes while a request is at work is kept up to a limit, then the system keeps it. A client that stops sending (a half close) still
 * gets its answer, but its fiber is cancelled soon after, since most such clients are gone; a broken connection cancels at once.
 */
#include "http/connection.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define IDLE_MS 75000
#define LINGER_MS 2000
#define AGAIN_MS 50
#define HANG_UP_MS 2000
#define WRITE_MS 30000 /* in which a client takes some of an answer */
#define PIPELINE_MAX (64 * 1024)

static struct connection *connection_of(struct tcp *tcp)
{
    return (struct connection *)((char *)tcp - offsetof(struct connection, tcp));
}

/* Whether anything of a client's request or our answer is under way. */
static void count_busy(struct connection *connection)
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

static void refuse(struct connection *connection, int status, const char *why)
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

static const char *find_refusal(int status)
{
    return status == 414 ? "The request line is too long." : status == 431 ? "The head of the request is too large." : "A line does not end in CRLF.";
}

static void give_continue(struct connection *connection)
{
    if (tcp_write(&connection->tcp, text_of("HTTP/1.1 100 Continue\r\n\r\n"), (struct text){0}))
        tcp_close(&connection->tcp);
}

static void begin_trace(struct http_exchange *exchange)
{
    struct http_headers headers = {exchange->head.headers, exchange->head.count, HTTP_HEADERS_MAX};
    trace_begin(&exchange->trace, http_header(&headers, "traceparent"), http_header(&headers, "X-Request-Id"));
}

/* Whether it went on: a whole request is at work, or its body is awaited. */
static bool take_head(struct connection *connection, struct text *rest)
{
    size_t max_body = (size_t)settings_number("max_body");
    connection->asked = true;
    long size = http_head_find(*rest, &connection->scanned);
    if (size == 0)
        return false;
    connection->scanned = 0;
    if (size < 0) {
        refuse(connection, (int)-size, find_refusal((int)-size));
        return false;
    }
    struct http_exchange *exchange = exchange_new(connection, (struct text){rest->at, (size_t)size});
    if (!exchange) {
        refuse(connection, 503, "There is not enough memory at the moment.");
        return false;
    }
    *rest = (struct text){rest->at + size, rest->size - (size_t)size};
    connection->exchange = exchange;
    const char *why;
    int status = http_request_parse((struct text){exchange->bytes, (size_t)size}, &exchange->head, &why);
    if (status) {
        refuse(connection, status, why);
        return false;
    }
    begin_trace(exchange);
    if (exchange->head.body == HTTP_BODY_LENGTH && exchange->head.content_length > max_body) {
        refuse(connection, 413, "The body is too large.");
        return false;
    }
    connection->state = CONNECTION_BODY;
    if (exchange->head.body != HTTP_BODY_NONE && exchange->head.expect_continue && !rest->size)
        give_continue(connection);
    return true;
}

/* 1: the body is whole; 0: more is needed; negative. */
static int feed_body(struct http_exchange *exchange, struct text *rest)
{
    struct http_head *head = &exchange->head;
    size_t used = 0;
    int result = 1;
    if (head->body == HTTP_BODY_CHUNKED) {
        result = http_chunks_feed(&exchange->chunks, *rest, &exchange->body, (size_t)settings_number("max_body"), &used);
    } else if (head->body == HTTP_BODY_LENGTH) {
        size_t missing = (size_t)head->content_length - exchange->body.size;
        used = rest->size < missing ? rest->size : missing;
        buffer_add(&exchange->body, rest->at, used);
        result = exchange->body.failed ? -ENOMEM : used == missing;
    }
    *rest = (struct text){rest->at + used, rest->size - used};
    return result;
}

static bool take_body(struct connection *connection, struct text *rest)
{
    struct http_exchange *exchange = connection->exchange;
    int result = feed_body(exchange, rest);
    if (result == 0)
        return false;
    if (result < 0) {
        refuse(connection, result == -EMSGSIZE ? 413 : result == -ENOMEM ? 503 : 400,
               result == -EMSGSIZE  ? "The body is too large."
               : result == -ENOMEM ? "There is not enough memory at the moment."
                                   : "The chunked body is malformed.");
        return false;
    }
    connection->state = CONNECTION_WORK;
    count_busy(connection);
    exchange_start(exchange);
    return true;
}

static bool take_some(struct connection *connection, struct text *rest)
{
    if (connection->tcp.closing || tcp_queued(&connection->tcp))
        return false;
    if (connection->state == CONNECTION_HEAD && !rest->size)
        return false;
    if (connection->state == CONNECTION_HEAD)
        return take_head(connection, rest);
    return connection->state == CONNECTION_BODY && take_body(connection, rest);
}

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

static void settle(struct connection *connection, bool moved)
{
    if (connection->ended && connection->state != CONNECTION_WORK && !tcp_queued(&connection->tcp)) {
        tcp_close(&connection->tcp); /* nobody will send the rest */
    } else if (!connection->tcp.closing && connection->state != CONNECTION_LINGER && connection->state != CONNECTION_UPGRADED) {
        set_due(connection, moved);
        tcp_read(&connection->tcp, !connection->ended && connection->in.size < PIPELINE_MAX);
    }
    count_busy(connection);
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
    while (take_some(connection, &rest))
        ;
    connection->advancing = false;
    if (connection->state == CONNECTION_UPGRADED) {
        hand_over(connection, rest);
        rest.size = 0;
    }
    keep_rest(connection, rest);
    settle(connection, first || connection->state == CONNECTION_BODY || rest.size < before);
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

void connection_answered(struct connection *connection, bool close)
{
    if (connection->closed) {
        if (connection->upgrade.events)
            connection->upgrade.events->closed(connection->upgrade.context);
        connection->state = CONNECTION_LINGER;
        count_busy(connection);
        maybe_free(connection);
        return;
    }
    if (connection->upgrade.events) {
        become_upgraded(connection);
        count_busy(connection);
        return;
    }
    connection->state = CONNECTION_HEAD;
    if (close && !connection->tcp.closing)
        linger(connection);
    if (connection->advancing)
        return;
    if (connection->state == CONNECTION_HEAD && connection->in.size)
        advance(connection, (struct text){"", 0});
    else
        settle(connection, true);
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
        settle(connection, true);
    }
}

static void on_written(struct tcp *tcp)
{
    struct connection *connection = connection_of(tcp);
    if (connection->state == CONNECTION_UPGRADED)
        connection->upgrade.events->written(connection->upgrade.context);
    else if (connection->state == CONNECTION_LINGER)
        linger(connection);
    else if (connection->state != CONNECTION_WORK)
        advance(connection, (struct text){"", 0});
}

static void on_due(struct tcp *tcp)
{
    struct connection *connection = connection_of(tcp);
    if (connection->state == CONNECTION_UPGRADED)
        connection->upgrade.events->due(connection->upgrade.context);
    else if (connection->state == CONNECTION_WORK)
        cancel(connection);
    else if (tcp_queued(tcp) && tcp_unwritten(tcp) < connection->unwritten)
        await_written(connection); /* slow, but reading */
    else if (connection->state == CONNECTION_LINGER || tcp_queued(tcp) || (connection->state == CONNECTION_HEAD && !connection->in.size))
        tcp_close(tcp);
    else
        refuse(connection, 408, "The request did not come in time.");
    count_busy(connection);
}

static void on_closed(struct tcp *tcp)
{
    struct connection *connection = connection_of(tcp);
    struct listener *listener = connection->listener;
    connection->closed = true;
    count_busy(connection);
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

/* ---- beginning ---- */

static const struct tcp_events events = {
    .read = on_read, .ended = on_ended, .written = on_written, .due = on_due, .closed = on_closed};

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
    if (tcp_init(&connection->tcp, &events)) {
        free(connection);
        return NULL;
    }
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
        refuse(connection, 503, "There are too many connections at the moment.");
        return;
    }
    settle(connection, true);
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
