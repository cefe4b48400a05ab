/*
 * A call outward: the fiber writes, waits, and copies the answer into its arena. Nothing is repeated here: who calls is told how far the call
 * came, and decides.
 */
#include "http/client.h"

#include "base/clock.h"
#include "base/memory.h"
#include "http/client_connection.h"
#include "http/client_request.h"
#include "http/parser.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000

/* ---- the request ---- */

static void add_line(struct buffer *out, struct text name, struct text value)
{
    if (!http_field_is_clean(name) || !http_field_is_clean(value))
        return;
    buffer_add(out, name.at, name.size);
    buffer_add(out, ": ", 2);
    buffer_add(out, value.at, value.size);
    buffer_add(out, "\r\n", 2);
}

void http_request_print(const struct http_call *call, struct buffer *out)
{
    char number[24];
    buffer_add_string(out, call->method);
    buffer_add(out, " ", 1);
    buffer_add_string(out, call->target);
    buffer_add_string(out, " HTTP/1.1\r\n");
    add_line(out, text_of("Host"), text_of(call->host ? call->host : call->address));
    for (unsigned i = 0; i < call->headers.count; i++)
        add_line(out, call->headers.list[i].name, call->headers.list[i].value);
    if (call->body.size || (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0 && strcmp(call->method, "DELETE") != 0)) {
        snprintf(number, sizeof number, "%zu", call->body.size);
        add_line(out, text_of("Content-Length"), text_of(number));
    }
    buffer_add(out, "\r\n", 2);
}

static int send_request(struct client_connection *connection, const struct http_call *call)
{
    struct buffer head = {0};
    if (connection->done)
        return connection->error; /* it closed while it waited */
    http_request_print(call, &head);
    if (head.failed) {
        buffer_fini(&head);
        memory_short();
    }
    int error = tcp_write(&connection->tcp, (struct text){head.at, head.size}, call->body);
    buffer_fini(&head);
    return error == -EPIPE ? -ECONNRESET : error;
}

static void begin_call(struct client_connection *connection, const struct http_call *call)
{
    connection->fiber = fiber_self();
    connection->done = false;
    client_answer_begin(&connection->answer, strcmp(call->method, "HEAD") == 0);
    tcp_set_due(&connection->tcp, 0);
    tcp_read(&connection->tcp, true);
}

/* ---- the call ---- */

/* Waits until the answer is whole or there will be none; looks up now and then, if the call wants that. */
static FIBER_FN int await_done(const struct client_connection *connection, const struct http_call *call)
{
    int64_t deadline = fiber_deadline();
    int error = 0;
    while (!error && !connection->done) {
        if (call->is_lost)
            fiber_narrow_deadline(LOOK_MS);
        error = fiber_wait();
        fiber_set_deadline(deadline);
        if (error == -ETIMEDOUT && call->is_lost && (!deadline || clock_mono_ms() < deadline))
            error = call->is_lost(call->context) ? -EHOSTDOWN : 0;
    }
    return error;
}

static FIBER_FN int carry(struct lease *lease, const struct http_call *call, struct http_response *ret_response)
{
    struct client_connection *connection = lease->connection;
    begin_call(connection, call);
    int error = send_request(connection, call);
    if (!error)
        error = await_done(connection, call);
    if (!error)
        error = connection->error;
    if (error)
        return error;
    *ret_response = client_answer_copy(&connection->answer); /* since the connection goes on to others */
    if (connection->answer.head.keep_alive)
        client_connection_rest(lease);
    return 0;
}

FIBER_FN int http_client_call(const struct http_call *call, struct http_response *ret_response, enum http_call_progress *ret_progress)
{
    enum http_call_progress unused, *progress = ret_progress ? ret_progress : &unused;
    struct lease *lease = arena_alloc(fiber_arena(), sizeof *lease);
    bool reused;
    *progress = HTTP_CALL_NOT_CONNECTED;
    int error = client_connection_take(call->address, lease, &reused);
    if (!error) {
        *progress = HTTP_CALL_SENT;
        error = carry(lease, call, ret_response);
        struct client_connection *connection = lease->connection;
        if (error && connection && reused && connection->done && !connection->answer.in.size && error != -ENOMEM)
            *progress = HTTP_CALL_REUSED_CLOSED;
    }
    client_connection_drop(lease);
    return error;
}
