/*
 * From what a client's connection has received to one whole request: its head, then its body. The bytes are used up as they are taken;
 * a request that is malformed or too large is refused, and the connection lingers after that.
 */
#include "base/settings.h"
#include "http/connection.h"

#include <errno.h>

static const char *find_refusal(int status)
{
    return status == 414   ? "The request line is too long."
           : status == 431 ? "The head of the request is too large."
                           : "A line does not end in CRLF.";
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
        connection_refuse(connection, (int)-size, find_refusal((int)-size));
        return false;
    }
    struct http_exchange *exchange = exchange_new(connection, (struct text){rest->at, (size_t)size});
    if (!exchange) {
        connection_refuse(connection, 503, "There is not enough memory at the moment.");
        return false;
    }
    *rest = (struct text){rest->at + size, rest->size - (size_t)size};
    connection->exchange = exchange;
    const char *why;
    int status = http_request_parse((struct text){exchange->bytes, (size_t)size}, &exchange->head, &why);
    if (status) {
        connection_refuse(connection, status, why);
        return false;
    }
    begin_trace(exchange);
    if (exchange->head.body == HTTP_BODY_LENGTH && exchange->head.content_length > max_body) {
        connection_refuse(connection, 413, "The body is too large.");
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
        connection_refuse(connection,
                          result == -EMSGSIZE ? 413
                          : result == -ENOMEM ? 503
                                              : 400,
                          result == -EMSGSIZE ? "The body is too large."
                          : result == -ENOMEM ? "There is not enough memory at the moment."
                                              : "The chunked body is malformed.");
        return false;
    }
    connection->state = CONNECTION_WORK;
    connection_count_busy(connection);
    exchange_start(exchange);
    return true;
}

bool request_take(struct connection *connection, struct text *rest)
{
    if (connection->tcp.closing || tcp_queued(&connection->tcp))
        return false;
    if (connection->state == CONNECTION_HEAD && !rest->size)
        return false;
    if (connection->state == CONNECTION_HEAD)
        return take_head(connection, rest);
    return connection->state == CONNECTION_BODY && take_body(connection, rest);
}
