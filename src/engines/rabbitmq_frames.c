/*
 * AMQP 0-9-1: a message is a frame for the method basic.publish, one for its properties, and as many for its body as that needs. A frame is a
 * type, the channel, a size, that many bytes, and a byte that ends it.
 */
#include "engines/rabbitmq_frames.h"

#include <amqp_framing.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FRAME_HEAD 7
#define METHOD_MAX 1024 /* the routing key is at most 255 bytes */
#define PROPERTIES_MAX 4096 /* but for the headers' texts */

static bool make_room(struct rabbitmq_frames *frames, size_t size)
{
    if (frames->room - frames->size >= size)
        return true;
    size_t room = frames->room ? frames->room : 8192;
    while (room - frames->size < size)
        room *= 2;
    char *bytes = realloc(frames->bytes, room);
    if (!bytes)
        return false;
    frames->bytes = bytes;
    frames->room = room;
    return true;
}

static void put(char **at, const void *bytes, size_t size)
{
    memcpy(*at, bytes, size);
    *at += size;
}

static void put_32(char **at, uint32_t number)
{
    number = htonl(number);
    put(at, &number, sizeof number);
}

/* Where the frame's bytes go, of which there is room for `max`. */
static char *begin_frame(struct rabbitmq_frames *frames, size_t max)
{
    return make_room(frames, FRAME_HEAD + max + 1) ? frames->bytes + frames->size + FRAME_HEAD : NULL;
}

static void end_frame(struct rabbitmq_frames *frames, char type, size_t size)
{
    char *at = frames->bytes + frames->size;
    const char head[] = {type, 0, RABBITMQ_PUBLISH_CHANNEL}, last = (char)AMQP_FRAME_END;
    put(&at, head, sizeof head);
    put_32(&at, (uint32_t)size);
    at[size] = last;
    frames->size += FRAME_HEAD + size + 1;
}

static bool add_method(struct rabbitmq_frames *frames, const char *queue)
{
    amqp_basic_publish_t publish = {.routing_key = amqp_cstring_bytes(queue), .mandatory = 1};
    char *at = begin_frame(frames, METHOD_MAX);
    if (!at)
        return false;
    put_32(&at, AMQP_BASIC_PUBLISH_METHOD);
    int size = amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &publish, (amqp_bytes_t){METHOD_MAX - 4, at});
    if (size >= 0)
        end_frame(frames, AMQP_FRAME_METHOD, 4 + (size_t)size);
    return size >= 0;
}

/* `texts`: bytes of the headers' texts, which are as long as whoever sent the message liked. */
static bool add_properties(struct rabbitmq_frames *frames, amqp_basic_properties_t *properties, size_t texts, uint64_t body_size)
{
    size_t max = PROPERTIES_MAX + texts, frame = frames->frame_max - FRAME_HEAD - 1;
    max = max < frame ? max : frame;
    char *at = begin_frame(frames, max);
    if (!at)
        return false;
    put_32(&at, (uint32_t)AMQP_BASIC_CLASS << 16); /* and a weight of 0 */
    put_32(&at, (uint32_t)(body_size >> 32));
    put_32(&at, (uint32_t)body_size);
    int size = amqp_encode_properties(AMQP_BASIC_CLASS, properties, (amqp_bytes_t){max - 12, at});
    if (size >= 0)
        end_frame(frames, AMQP_FRAME_HEADER, 12 + (size_t)size);
    return size >= 0;
}

static bool add_body(struct rabbitmq_frames *frames, struct text body)
{
    size_t max = frames->frame_max - FRAME_HEAD - 1;
    while (body.size) {
        size_t size = body.size < max ? body.size : max;
        char *at = begin_frame(frames, size);
        if (!at)
            return false;
        memcpy(at, body.at, size);
        end_frame(frames, AMQP_FRAME_BODY, size);
        body = (struct text){body.at + size, body.size - size};
    }
    return true;
}

static amqp_bytes_t bytes_of(const char *string)
{
    return string ? amqp_cstring_bytes(string) : amqp_empty_bytes;
}

bool rabbitmq_frames_add(struct rabbitmq_frames *frames, const struct rabbitmq_outgoing *out)
{
    const struct queue_message *message = out->message;
    amqp_table_entry_t entries[3];
    int count = 0;
    entries[count++] = (amqp_table_entry_t){.key = amqp_cstring_bytes("x-attempt"),
                                            .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = (int32_t)out->attempt}};
    if (out->error)
        entries[count++] = (amqp_table_entry_t){.key = amqp_cstring_bytes("x-error"),
                                                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(out->error)}};
    if (message->traceparent)
        entries[count++] =
            (amqp_table_entry_t){.key = amqp_cstring_bytes("traceparent"),
                                 .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(message->traceparent)}};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  (message->correlation_id ? AMQP_BASIC_CORRELATION_ID_FLAG : 0) | (message->reply_to ? AMQP_BASIC_REPLY_TO_FLAG : 0),
        .content_type = amqp_cstring_bytes("application/cloudevents+json"),
        .delivery_mode = 2,
        .message_id = bytes_of(message->id),
        .correlation_id = bytes_of(message->correlation_id),
        .reply_to = bytes_of(message->reply_to),
        .headers = {.num_entries = count, .entries = entries},
    };
    size_t texts = (out->error ? strlen(out->error) : 0) + (message->traceparent ? strlen(message->traceparent) : 0);
    return add_method(frames, out->queue) && add_properties(frames, &properties, texts, message->body.size) &&
           add_body(frames, message->body);
}

bool rabbitmq_frames_send(const struct rabbitmq_frames *frames, int fd)
{
    for (size_t sent = 0; sent < frames->size;) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        ssize_t size = send(fd, frames->bytes + sent, frames->size - sent, MSG_NOSIGNAL);
        if (size >= 0)
            sent += (size_t)size;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        else if (errno == EAGAIN && poll(&room, 1, -1) < 0 && errno != EINTR)
            return false;
    }
    return true;
}

void rabbitmq_frames_fini(struct rabbitmq_frames *frames)
{
    free(frames->bytes);
    *frames = (struct rabbitmq_frames){0};
}
