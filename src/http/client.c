/*
 * The client. A connection carries one call at a time; between calls it waits in its worker's pool for the same address, for less long
 * than servers keep theirs, even those that end. The loop reads and takes the answer apart; the fiber writes, waits, and copies the answer into its arena.
 * Nothing is repeated here: who calls is told how far the call came, and decides.
 */
#include "http/client.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/socket.h"
#include "http/client_connection.h"
#include "http/parser.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define IDLE_MS 1000 /* shorter than a drain: a server that ends finds none idle, and so closes none that is taken for a call just then */
#define IDLE_MAX 64 /* connections to one address that wait in a pool */
#define CONNECT_MS 3000
#define LOOK_MS 1000
#define ANSWER_MAX (16 * 1024 * 1024)

/* One address, on one worker. Never freed: addresses are those of services. */
struct client_pool {
    struct client_pool *next;
    struct client_connection *idle; /* the last used first */
    unsigned idle_count;
    char address[64];
};

struct client_connection {
    struct tcp tcp;
    uv_connect_t connect;
    struct client_pool *pool;
    struct client_connection *next, *previous; /* among the idle */
    struct fiber *fiber;                       /* whose call it carries */
    bool connected, is_idle, done, closed, to_head, head_done;
    int error;
    size_t scanned, head_size;
    struct buffer in; /* the head, and what is not taken yet */
    struct http_head head;
    struct http_chunks chunks;
    struct buffer body;
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
    if (!connection->is_idle)
        return;
    connection->is_idle = false;
    connection->pool->idle_count--;
    if (connection->next)
        connection->next->previous = connection->previous;
    *(connection->previous ? &connection->previous->next : &connection->pool->idle) = connection->next;
    connection->next = connection->previous = NULL;
}

/* Closes it, and nobody finds it in the pool until that is done. */
static void drop(struct client_connection *connection)
{
    leave_idle(connection);
    tcp_close(&connection->tcp);
}

static void connection_free(struct client_connection *connection)
{
    buffer_fini(&connection->in);
    buffer_fini(&connection->body);
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
    connection->previous = NULL;
    connection->next = pool->idle;
    if (connection->next)
        connection->next->previous = connection;
    pool->idle = connection;
    pool->idle_count++;
    tcp_set_due(&connection->tcp, clock_mono_ms() + IDLE_MS);
}

/* ---- the answer, on the loop ---- */

static void finish(struct client_connection *connection, int error)
{
    if (connection->done || !connection->fiber)
        return;
    connection->done = true;
    connection->error = error;
    fiber_wake(connection->fiber);
}

/* Whether the head of the final answer is there; interim ones are dropped. */
static int take_answer_head(struct client_connection *connection)
{
    struct buffer *in = &connection->in;
    for (;;) {
        long size = http_head_find((struct text){in->at, in->size}, &connection->scanned);
        if (size <= 0)
            return size < 0 ? -EPROTO : 0;
        if (http_response_parse((struct text){in->at, (size_t)size}, connection->to_head, &connection->head))
            return -EPROTO;
        connection->scanned = 0;
        connection->head_size = (size_t)size;
        if (connection->head.status >= 200)
            return 1;
        if (connection->head.status == 101)
            return -EPROTO; /* nobody asked for it */
        buffer_take(in, (size_t)size);
    }
}

/* Takes body bytes; 1 when it is whole. ret_used tells how many belonged to it. */
static int take_answer_body(struct client_connection *connection, struct text bytes, size_t *ret_used)
{
    struct http_head *head = &connection->head;
    if (head->body == HTTP_BODY_NONE) {
        *ret_used = 0;
        return 1;
    }
    if (head->body == HTTP_BODY_CHUNKED)
        return http_chunks_feed(&connection->chunks, bytes, &connection->body, ANSWER_MAX, ret_used);
    size_t missing = head->body == HTTP_BODY_LENGTH ? (size_t)head->content_length - connection->body.size : SIZE_MAX;
    *ret_used = bytes.size < missing ? bytes.size : missing;
    if (connection->body.size + *ret_used > ANSWER_MAX || (head->body == HTTP_BODY_LENGTH && head->content_length > ANSWER_MAX))
        return -EMSGSIZE;
    buffer_add(&connection->body, bytes.at, *ret_used);
    return connection->body.failed ? -ENOMEM : *ret_used == missing;
}

static void take_answer(struct client_connection *connection, struct text bytes)
{
    size_t used = 0;
    if (!connection->head_done) {
        buffer_add(&connection->in, bytes.at, bytes.size);
        int result = connection->in.failed ? -ENOMEM : take_answer_head(connection);
        if (result < 0)
            finish(connection, result);
        if (result <= 0)
            return;
        connection->head_done = true;
        bytes = (struct text){connection->in.at + connection->head_size, connection->in.size - connection->head_size};
    }
    int result = take_answer_body(connection, bytes, &used);
    if (result < 0) {
        finish(connection, result == -EBADMSG ? -EPROTO : result);
    } else if (result == 1) {
        if (used < bytes.size)
            connection->head.keep_alive = false; /* more than an answer: nothing later on it can be trusted */
        finish(connection, 0);
    }
}

static void on_read(struct tcp *tcp, struct text bytes)
{
    struct client_connection *connection = connection_of(tcp);
    if (connection->fiber && !connection->done)
        take_answer(connection, bytes);
    else
        drop(connection); /* nobody asked */
}

static void on_ended(struct tcp *tcp, int error)
{
    struct client_connection *connection = connection_of(tcp);
    bool whole = !error && connection->head_done && connection->head.body == HTTP_BODY_UNTIL_CLOSE;
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

/* What a fiber holds of a connection; given back when the fiber ends, however it ends. */
struct lease {
    struct client_connection *connection;
};

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
    connection->done = connection->head_done = false;
    connection->to_head = strcmp(call->method, "HEAD") == 0;
    connection->scanned = connection->in.size = connection->body.size = 0;
    connection->chunks = (struct http_chunks){0};
    tcp_set_due(&connection->tcp, 0);
    tcp_read(&connection->tcp, true);
}

static struct text moved(struct text bytes, const char *from, const char *to)
{
    return (struct text){to + (bytes.at - from), bytes.size};
}

/* Copies the answer, since the connection goes on to others. */
static void copy_answer(const struct client_connection *connection, struct http_response *response)
{
    struct arena *arena = fiber_arena();
    const struct http_head *head = &connection->head;
    const char *from = connection->in.at, *to = arena_copy(arena, from, connection->head_size);
    *response = (struct http_response){.arena = arena, .status = head->status};
    response->headers.list = arena_alloc(arena, (head->count + 1) * sizeof *response->headers.list);
    response->headers.count = response->headers.room = head->count;
    for (unsigned i = 0; i < head->count; i++)
        response->headers.list[i] = (struct http_header){moved(head->headers[i].name, from, to), moved(head->headers[i].value, from, to)};
    response->body = (struct text){arena_copy(arena, connection->body.at ? connection->body.at : "", connection->body.size),
                                   connection->body.size};
}

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
    copy_answer(connection, ret_response);
    if (!connection->head.keep_alive)
        return 0;
    lease->connection = NULL;
    buffer_fini(&connection->in);
    buffer_fini(&connection->body);
    become_idle(connection);
    return 0;
}

FIBER_FN int http_client_call(const struct http_call *call, struct http_response *ret_response, enum http_call_progress *ret_progress)
{
    enum http_call_progress unused, *progress = ret_progress ? ret_progress : &unused;
    struct lease *lease = arena_alloc(fiber_arena(), sizeof *lease);
    struct client_pool *pool = pool_of(call->address);
    fiber_defer(release, lease);
    *progress = HTTP_CALL_NOT_CONNECTED;
    lease->connection = pool->idle;
    bool reused = lease->connection != NULL;
    if (reused)
        leave_idle(lease->connection);
    int error = reused ? 0 : open_connection(pool, lease);
    if (!error) {
        *progress = HTTP_CALL_SENT;
        error = carry(lease, call, ret_response);
        struct client_connection *connection = lease->connection;
        if (error && connection && reused && connection->done && !connection->in.size && error != -ENOMEM)
            *progress = HTTP_CALL_REUSED_CLOSED;
    }
    release(lease);
    return error;
}
