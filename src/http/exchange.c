/*
 * One request and its answer. The head's bytes and the body live in the exchange, which comes from a small stock; everything that the
 * handler makes lives in its fiber's arena. Whatever ends an exchange, there is exactly one answer, one log line and one count of it,
 * unless the client was gone.
 */
#include "http/connection.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/settings.h"
#include "http/problem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STOCK_MAX 32

struct http_exchange *exchange_new(struct connection *connection, struct text head)
{
    struct listener *listener = connection->listener;
    struct http_exchange *exchange = listener->stock;
    if (exchange) {
        listener->stock = exchange->next;
        listener->stock_count--;
    } else if (!(exchange = memory_get(sizeof *exchange))) {
        return NULL;
    }
    char *bytes = head.size <= EXCHANGE_INLINE ? exchange->inlined : memory_get(head.size);
    if (!bytes) {
        free(exchange);
        return NULL;
    }
    exchange->connection = connection;
    exchange->fiber = NULL;
    exchange->trace.request_id[0] = '\0';
    exchange->bytes = bytes;
    exchange->body = (struct buffer){0};
    exchange->chunks = (struct http_chunks){0};
    exchange->began_us = clock_mono_us();
    exchange->request = (struct http_request){0};
    exchange->response = (struct http_response){0};
    memcpy(exchange->bytes, head.at, head.size);
    return exchange;
}

void exchange_free(struct http_exchange *exchange)
{
    if (exchange->bytes != exchange->inlined)
        free(exchange->bytes);
    buffer_fini(&exchange->body);
    struct listener *listener = exchange->connection->listener;
    if (listener->stock_count == STOCK_MAX) {
        free(exchange);
        return;
    }
    exchange->next = listener->stock;
    listener->stock = exchange;
    listener->stock_count++;
}

static void fill_request(struct http_exchange *exchange, struct arena *arena)
{
    struct http_head *head = &exchange->head;
    exchange->request = (struct http_request){
        .arena = arena,
        .method = head->method,
        .method_name = head->method_name,
        .target = head->target,
        .path = head->path,
        .query = head->query,
        .headers = {head->headers, head->count, HTTP_HEADERS_MAX},
        .body = {exchange->body.at ? exchange->body.at : "", exchange->body.size},
        .client_address = arena_strdup(arena, exchange->connection->address),
        .trace = &exchange->trace,
        .upgrade = head->upgrade && head->body == HTTP_BODY_NONE ? &exchange->connection->upgrade : NULL,
    };
}

static int write_out(struct connection *connection, const struct http_response *response, const struct answer_facts *facts, struct text body)
{
    struct buffer *head = &connection->listener->head;
    head->size = 0;
    head->failed = false;
    answer_head(response, facts, head);
    return head->failed ? -ENOMEM : tcp_write(&connection->tcp, (struct text){head->at, head->size}, body);
}

/* ---- answers without a fiber ---- */

static const char *problem_name(int status)
{
    static const struct {
        int status;
        const char *name;
    } names[] = {{400, "malformed"}, {408, "timeout"}, {413, "too-large"}, {414, "too-large"}, {417, "expectation-failed"},
                 {431, "too-large"}, {501, "not-implemented"}, {503, "unavailable"}, {505, "version-not-supported"}};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status)
            return names[i].name;
    return "internal";
}

static struct text plain_problem(struct arena *arena, const struct trace *trace, int status, const char *why)
{
    const char *name = problem_name(status);
    char *title = arena_strdup(arena, name);
    title[0] = (char)(title[0] - 32);
    for (char *at = title; *at; at++)
        if (*at == '-')
            *at = ' ';
    return text_of(arena_printf(arena, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\",\"request_id\":\"%s\"}",
                                name, title, status, why, trace->request_id));
}

struct refusal {
    struct connection *connection;
    struct http_exchange *exchange;
    struct trace *trace;
    int status;
    const char *why;
    bool close;
};

static bool write_refusal(const struct refusal *refusal, struct arena *arena)
{
    struct http_server *server = refusal->connection->listener->server;
    struct http_exchange *exchange = refusal->exchange;
    struct http_response response = {.arena = arena, .status = refusal->status};
    response.body = plain_problem(arena, refusal->trace, refusal->status, refusal->why);
    http_header_set(arena, &response.headers, "Content-Type", "application/problem+json");
    http_header_set(arena, &response.headers, "Cache-Control", "no-store");
    if (refusal->status == 503)
        http_header_set(arena, &response.headers, "Retry-After", "1");
    struct http_request unread = {.arena = arena, .client_address = refusal->connection->address};
    bool parsed = exchange && exchange->head.path.at;
    if (parsed)
        fill_request(exchange, arena);
    if (server->decorate)
        server->decorate(server->handler.context, parsed ? &exchange->request : &unread, &response);
    bool to_head = exchange && exchange->head.method == HTTP_HEAD;
    struct answer_facts facts = {.trace = refusal->trace, .close = refusal->close, .to_head = to_head};
    if (write_out(refusal->connection, &response, &facts, to_head ? (struct text){0} : response.body))
        return false;
    server_note(server, exchange, refusal->trace, refusal->status, response.body.size);
    return true;
}

bool exchange_refuse(struct connection *connection, struct http_exchange *exchange, int status, const char *why, bool close)
{
    struct trace made;
    struct refusal refusal = {connection, exchange, exchange ? &exchange->trace : &made, status, why, close};
    struct arena *arena = arena_new();
    jmp_buf rescue, *outer = memory_rescue;
    volatile bool written = false;
    if (!arena)
        return false;
    if (!exchange || !exchange->trace.request_id[0])
        trace_begin(refusal.trace, (struct text){0}, (struct text){0});
    memory_rescue = &rescue;
    if (_setjmp(rescue) == 0)
        written = write_refusal(&refusal, arena);
    memory_rescue = outer;
    arena_free(arena);
    return written;
}

/* ---- on a fiber ---- */

static void at_work(struct listener *listener, int change)
{
    __atomic_store_n(&listener->at_work, listener->at_work + (unsigned)change, __ATOMIC_RELAXED);
}

/* Ends the exchange; false from `write_answer` leaves the connection to be closed. */
static void finish(struct http_exchange *exchange, bool close)
{
    struct connection *connection = exchange->connection;
    int pause_ms = exchange->response.pause_ms;
    exchange->fiber = NULL;
    at_work(connection->listener, -1);
    connection->exchange = NULL;
    exchange_free(exchange);
    connection_answered(connection, close, pause_ms);
}

/* Whether the connection can go on. */
static bool write_answer(struct http_exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct http_response *response = &exchange->response;
    bool close = !exchange->head.keep_alive || response->close || connection->listener->draining;
    struct answer_facts facts = {
        .trace = &exchange->trace,
        .close = close,
        .to_head = exchange->head.method == HTTP_HEAD,
        .old_client = exchange->head.minor_version == 0,
    };
    bool has_body = !facts.to_head && response->status >= 200 && response->status != 204 && response->status != 304;
    int error = write_out(connection, response, &facts, has_body ? response->body : (struct text){0});
    server_note(connection->listener->server, exchange, &exchange->trace, response->status, has_body ? response->body.size : 0);
    if (error)
        tcp_close(&connection->tcp);
    return !close;
}

static FIBER_FN void run(void *arg)
{
    struct http_exchange *exchange = arg;
    struct http_server *server = exchange->connection->listener->server;
    exchange->fiber = fiber_self();
    fill_request(exchange, fiber_arena());
    exchange->response.arena = fiber_arena();
    server->handler.handle(server->handler.context, &exchange->request, &exchange->response);
    if (exchange->response.upgraded) {
        server_note(server, exchange, &exchange->trace, 101, 0);
        finish(exchange, false);
        return;
    }
    if (!exchange->response.status)
        problem(&exchange->response, 500, "internal", "There was no answer.");
    finish(exchange, !write_answer(exchange));
}

static void abandoned(void *arg)
{
    struct http_exchange *exchange = arg;
    struct connection *connection = exchange->connection;
    if (connection->upgrade.events || !exchange_refuse(connection, exchange, 503, "There is not enough memory at the moment.", true))
        tcp_close(&connection->tcp);
    finish(exchange, true);
}

void exchange_start(struct http_exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct listener *listener = connection->listener;
    struct fiber *fiber;
    struct fiber_options options = {
        .name = "request",
        .run = run,
        .arg = exchange,
        .abandoned = abandoned,
        .deadline_mono_ms = clock_mono_ms() + settings_duration_ms("request_timeout"),
        .trace = &exchange->trace,
    };
    bool full = listener->at_work >= (unsigned)settings_number("max_in_flight");
    at_work(listener, 1);
    if (!full && fiber_start_with(&options, &fiber) == 0)
        return;
    bool close = !exchange->head.keep_alive || listener->draining;
    if (!exchange_refuse(connection, exchange, 503, "Too many requests are at work at the moment.", close))
        tcp_close(&connection->tcp);
    finish(exchange, close);
}
