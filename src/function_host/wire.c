/* Messages over a SOCK_SEQPACKET socket. A message is a list of fields, each a 32-bit length, its bytes and a NUL; it
 * is laid out in one buffer and cut into packets. The kernel keeps packets whole, so there is nothing to resynchronise:
 * any size that does not add up ends the worker. */
#include "function_host/wire.h"
#include "function_host/snapshot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PAYLOAD_BYTES_MAX (FUNCTION_PACKET_BYTES_MAX - sizeof(struct function_packet))

struct buffer {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

static struct buffer outgoing, incoming;

static void buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t needed = buffer->length + more;
    if (needed <= buffer->capacity)
        return;
    size_t capacity = buffer->capacity ? buffer->capacity : 64 * 1024;
    while (capacity < needed)
        capacity *= 2;
    buffer->data = realloc(buffer->data, capacity);
    if (!buffer->data)
        abort();
    buffer->capacity = capacity;
}

static void buffer_add(struct buffer *buffer, const void *data, size_t length)
{
    buffer_reserve(buffer, length);
    if (length)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

static int send_packet(int fd, struct function_packet packet, const uint8_t *payload)
{
    struct iovec parts[2] = {
        { .iov_base = &packet, .iov_len = sizeof(packet) },
        { .iov_base = (void *)(uintptr_t)payload, .iov_len = packet.length },
    };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int wire_send(int fd, enum function_packet_type type, const struct wire_field *fields, size_t field_count)
{
    outgoing.length = 0;
    for (size_t i = 0; i < field_count; i++) {
        uint32_t length = (uint32_t)fields[i].length;
        buffer_add(&outgoing, &length, sizeof(length));
        buffer_add(&outgoing, fields[i].data, length);
        buffer_add(&outgoing, "", 1);
    }
    size_t at = 0;
    do {
        size_t part = outgoing.length - at < PAYLOAD_BYTES_MAX ? outgoing.length - at : PAYLOAD_BYTES_MAX;
        struct function_packet packet = {
            .type = (uint8_t)type,
            .more = at + part < outgoing.length,
            .fields = (uint16_t)field_count,
            .length = (uint32_t)part,
        };
        int error = send_packet(fd, packet, outgoing.data ? outgoing.data + at : NULL);
        if (error)
            return error;
        at += part;
    } while (at < outgoing.length);
    return 0;
}

static int receive_packet(int fd, struct function_packet *ret_packet)
{
    buffer_reserve(&incoming, PAYLOAD_BYTES_MAX);
    struct iovec parts[2] = {
        { .iov_base = ret_packet, .iov_len = sizeof(*ret_packet) },
        { .iov_base = incoming.data + incoming.length, .iov_len = PAYLOAD_BYTES_MAX },
    };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    snapshot_will_write(incoming.data + incoming.length, PAYLOAD_BYTES_MAX);
    ssize_t got;
    do
        got = recvmsg(fd, &message, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return -ECONNRESET;
    if (message.msg_flags & MSG_TRUNC || (size_t)got < sizeof(*ret_packet) ||
        (size_t)got - sizeof(*ret_packet) != ret_packet->length)
        return -EPROTO;
    incoming.length += ret_packet->length;
    return incoming.length > FUNCTION_MESSAGE_BYTES_MAX ? -EPROTO : 0;
}

static bool split_fields(struct wire_message *message)
{
    size_t at = 0;
    for (size_t i = 0; i < message->field_count; i++) {
        uint32_t length;
        if (incoming.length - at < sizeof(length))
            return false;
        memcpy(&length, incoming.data + at, sizeof(length));
        at += sizeof(length);
        if (length >= incoming.length - at || incoming.data[at + length])
            return false;
        message->field[i] = (struct wire_field){ .data = incoming.data + at, .length = length };
        at += length + 1;
    }
    return at == incoming.length;
}

int wire_receive(int fd, struct wire_message *ret_message)
{
    struct function_packet first, packet;
    incoming.length = 0;
    int error = receive_packet(fd, &first);
    for (packet = first; !error && packet.more;) {
        error = receive_packet(fd, &packet);
        if (!error && (packet.type != first.type || packet.fields != first.fields))
            error = -EPROTO;
    }
    if (error)
        return error;
    if (first.fields > FUNCTION_FIELDS_MAX)
        return -EPROTO;
    *ret_message = (struct wire_message){ .type = first.type, .field_count = first.fields };
    return split_fields(ret_message) ? 0 : -EPROTO;
}
