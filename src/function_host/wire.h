/* Messages on a worker's socket, as the worker sends and receives them: blocking, one at a time. */
#ifndef PURSER_FUNCTION_HOST_WIRE_H
#define PURSER_FUNCTION_HOST_WIRE_H

#include "function_host/protocol.h"

#include <stddef.h>

struct wire_field {
    const void *data;
    size_t length;
};

struct wire_message {
    enum function_packet_type type;
    size_t field_count;
    struct wire_field field[FUNCTION_FIELDS_MAX]; /* point into the receiver's buffer, each followed by a NUL */
};

/* Sends one message; waits while the socket is full. 0, or a negative errno: then nobody listens any more. */
int wire_send(int fd, enum function_packet_type type, const struct wire_field *fields, size_t field_count);

/* Receives the next message into a buffer that lives until the next call; waits. 0, -ECONNRESET at the end of the
 * stream, -EPROTO when the bytes are no message or too many. */
int wire_receive(int fd, struct wire_message *ret_message);

#endif
