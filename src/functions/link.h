/*
 * Our end of a process's socket, used from one event loop at a time: whoever has the process checked out of its pool.
 */
#ifndef PURSER_FUNCTIONS_LINK_H
#define PURSER_FUNCTIONS_LINK_H

#include "base/text.h"
#include "functions/host.h"
#include "runtime/worker.h"

struct link;

/* Takes the process over. NULL when memory is short; then the process has been left. */
struct link *link_new(struct host_process process);
/* Ends the process if it lives still, and frees. From any thread; handles on other loops are closed there. NULL is fine. */
void link_free(struct link *link);
const struct host_process *link_process(const struct link *link);

/* Sends one message. 0; -EPIPE: the process is gone. Waits while the socket is full; at most until `until_mono_ms`, then -ETIMEDOUT. */
FIBER_FN int link_send(struct link *link, enum function_packet_type type, const struct text *fields, unsigned count, int64_t until_mono_ms);

struct link_message {
    enum function_packet_type type;
    unsigned count;
    struct text fields[FUNCTION_FIELDS_MAX]; /* in the arena, each followed by a NUL */
};
/* The next message into the arena. 0; -EPIPE: the stream ended; -EPROTO: it is no message; -ETIMEDOUT. A fiber's cancellation does not end
 * the wait: the process is at work for it either way, and the host bounds that. */
FIBER_FN int link_receive(struct link *link, struct arena *arena, int64_t until_mono_ms, struct link_message *ret_message);
/* Whether the process has closed its end while it was idle. Does not wait. */
bool link_is_dead(struct link *link);

#endif
