/* Connecting to RabbitMQ, and the shape of its queues. Called on the two threads of the adapter alone, but for rabbitmq_watch. */
#include "engines/rabbitmq.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"

#include <amqp_tcp_socket.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_S 2
#define RPC_S 5
#define HEARTBEAT_S 2
#define BUSY_MAX_MS 10000
#define FRAME_MAX 131072

static void complain(struct rabbitmq_link *link, const char *doing, const char *why)
{
    if (!link->complained)
        log_warn("rabbitmq is away", "{s:s, s:s}", "doing", doing, "why", why);
    link->complained = true;
}

bool rabbitmq_succeeded(struct rabbitmq_link *link, const char *doing)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(link->connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    char why[200] = "an exception of the server";
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        snprintf(why, sizeof why, "%s", amqp_error_string2(reply.library_error));
    else if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        amqp_channel_close_t *said = reply.reply.decoded;
        snprintf(why, sizeof why, "%.*s", (int)said->reply_text.len, (char *)said->reply_text.bytes);
    } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        amqp_connection_close_t *said = reply.reply.decoded;
        snprintf(why, sizeof why, "%.*s", (int)said->reply_text.len, (char *)said->reply_text.bytes);
    }
    complain(link, doing, why);
    return false;
}

void rabbitmq_busy(struct rabbitmq_link *link, bool busy)
{
    __atomic_store_n(&link->busy_since_mono_ms, busy ? clock_mono_ms() : 0, __ATOMIC_RELEASE);
}

void rabbitmq_watch(struct rabbitmq_link *link)
{
    int64_t since = __atomic_load_n(&link->busy_since_mono_ms, __ATOMIC_ACQUIRE);
    if (!since || clock_mono_ms() - since < BUSY_MAX_MS)
        return;
    log_warn("rabbitmq takes no bytes: the connection is broken off", NULL);
    shutdown(__atomic_load_n(&link->fd, __ATOMIC_ACQUIRE), SHUT_RDWR);
}

bool rabbitmq_takes(const struct rabbitmq_link *link)
{
    return __atomic_load_n(&link->up, __ATOMIC_ACQUIRE) && !__atomic_load_n(&link->blocked, __ATOMIC_ACQUIRE);
}

void rabbitmq_note_blocked(struct rabbitmq_link *link, const amqp_bytes_t *reason)
{
    if (reason)
        log_warn("rabbitmq has an alarm and takes no messages", "{s:s%}", "reason", (const char *)reason->bytes, reason->len);
    else
        log_info("rabbitmq takes messages again", NULL);
    __atomic_store_n(&link->blocked, reason != NULL, __ATOMIC_RELEASE);
}

static bool log_in(struct rabbitmq_link *link, amqp_connection_state_t connection, const struct amqp_connection_info *info)
{
    struct timeval connect = {.tv_sec = CONNECT_S}, rpc = {.tv_sec = RPC_S};
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket)
        return false;
    int error = amqp_socket_open_noblock(socket, info->host, info->port, &connect);
    if (error != AMQP_STATUS_OK) {
        complain(link, "connecting", amqp_error_string2(error));
        return false;
    }
    amqp_set_handshake_timeout(connection, &rpc);
    amqp_set_rpc_timeout(connection, &rpc);
    /* A URL that ends in / means the default virtual host, as everybody writes it. */
    const char *vhost = *info->vhost ? info->vhost : "/";
    /* Who can be told of alarms is told. */
    amqp_table_entry_t blocked = {.key = amqp_cstring_bytes("connection.blocked"),
                                  .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
    amqp_table_entry_t capabilities = {.key = amqp_cstring_bytes("capabilities"),
                                       .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {.num_entries = 1, .entries = &blocked}}};
    amqp_table_t properties = {.num_entries = 1, .entries = &capabilities};
    amqp_rpc_reply_t reply = amqp_login_with_properties(connection, vhost, 0, FRAME_MAX, HEARTBEAT_S, &properties, AMQP_SASL_METHOD_PLAIN,
                                                        info->user, info->password);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    complain(link, "signing in", reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION ? amqp_error_string2(reply.library_error) : "refused");
    return false;
}

int rabbitmq_connect(struct rabbitmq_link *link)
{
    struct amqp_connection_info info;
    char *url = strdup(link->url); /* the parser writes into it */
    amqp_connection_state_t connection = amqp_new_connection();
    bool done = url && connection && amqp_parse_url(url, &info) == AMQP_STATUS_OK;
    if (done)
        done = log_in(link, connection, &info);
    free(url);
    if (!done) {
        if (connection)
            amqp_destroy_connection(connection);
        return -EAGAIN;
    }
    if (link->complained)
        log_info("rabbitmq is back", NULL);
    link->complained = false;
    __atomic_store_n(&link->fd, amqp_get_sockfd(connection), __ATOMIC_RELEASE);
    socket_guard(link->fd);
    link->connection = connection;
    return 0;
}

void rabbitmq_disconnect(struct rabbitmq_link *link)
{
    amqp_connection_state_t connection = link->connection;
    __atomic_store_n(&link->up, false, __ATOMIC_RELEASE);
    __atomic_store_n(&link->blocked, false, __ATOMIC_RELEASE);
    rabbitmq_busy(link, false);
    while (link->known_count)
        free(link->known[--link->known_count]);
    if (!connection)
        return;
    __atomic_store_n(&link->fd, -1, __ATOMIC_RELEASE);
    link->connection = NULL;
    amqp_destroy_connection(connection);
}

void rabbitmq_dead_name(const char *queue, char ret_name[RABBITMQ_NAME_MAX])
{
    snprintf(ret_name, RABBITMQ_NAME_MAX, "%s.dead", queue);
}

void rabbitmq_retry_name(const char *queue, int64_t pause_ms, char ret_name[RABBITMQ_NAME_MAX])
{
    snprintf(ret_name, RABBITMQ_NAME_MAX, "%s.retry.%lld", queue, (long long)pause_ms);
}

static amqp_table_entry_t entry_text(const char *key, const char *value)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key), .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

int64_t rabbitmq_declare(struct rabbitmq_link *link, int channel, const char *queue, const char *back_to, int64_t pause_ms)
{
    amqp_table_entry_t entries[6] = {entry_text("x-queue-type", "quorum")};
    amqp_table_t table = {.num_entries = 1, .entries = entries};
    if (*back_to) {
        entries[1] = (amqp_table_entry_t){
            .key = amqp_cstring_bytes("x-message-ttl"), .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = pause_ms}};
        entries[2] = entry_text("x-dead-letter-exchange", "");
        entries[3] = entry_text("x-dead-letter-routing-key", back_to);
        /* Without these two a message may be lost on its way back when a node fails. */
        entries[4] = entry_text("x-dead-letter-strategy", "at-least-once");
        entries[5] = entry_text("x-overflow", "reject-publish");
        table.num_entries = 6;
    }
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(link->connection, (amqp_channel_t)channel, amqp_cstring_bytes(queue), 0, 1, 0, 0, table);
    int64_t count = ok ? (int64_t)ok->message_count : -EAGAIN;
    if (!rabbitmq_succeeded(link, "declaring a queue"))
        count = -EAGAIN;
    amqp_maybe_release_buffers_on_channel(link->connection, (amqp_channel_t)channel);
    return count;
}
