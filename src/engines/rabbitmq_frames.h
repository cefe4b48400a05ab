/* Messages as the bytes that publish them, many for one write: rabbitmq-c would write three times for each. The publisher's thread's alone. */
#ifndef PURSER_ENGINES_RABBITMQ_FRAMES_H
#define PURSER_ENGINES_RABBITMQ_FRAMES_H

#include "engines/rabbitmq.h"

/* None at first. */
struct rabbitmq_frames {
    size_t frame_max; /* of the connection */
    char *bytes;
    size_t size, room;
};

/* False where memory is short, or where the message cannot be encoded. */
bool rabbitmq_frames_add(struct rabbitmq_frames *frames, const struct rabbitmq_outgoing *out);
/* Writes all of them to the connection's socket, behind what the library has written. Waits while the broker reads nothing, until the watchdog shuts
 * the socket. False: the connection is of no use any more. */
bool rabbitmq_frames_send(const struct rabbitmq_frames *frames, int fd);
void rabbitmq_frames_fini(struct rabbitmq_frames *frames);

#endif
