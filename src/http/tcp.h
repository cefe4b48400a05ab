/*
 * A TCP connection as bytes both ways, on its worker's loop: the ground under the server's connections, the client and WebSockets. An
 * idle tcp owns no buffer. For the files of this folder; nothing here waits.
 */
#ifndef PURSER_HTTP_TCP_H
#define PURSER_HTTP_TCP_H

#include "base/text.h"
#include "runtime/worker.h"

struct tcp;

/* Called on the loop, never inside a call to the tcp. NULL where nobody cares, except read, ended and closed. */
struct tcp_events {
    void (*read)(struct tcp *tcp, struct text bytes); /* borrowed until it returns */
    void (*ended)(struct tcp *tcp, int error);        /* 0: the other side sends no more; else broken, and to be closed */
    void (*written)(struct tcp *tcp);                 /* nothing waits to be written any more */
    void (*due)(struct tcp *tcp);                     /* tcp_set_due's time has come */
    void (*closed)(struct tcp *tcp);                  /* the last call: its memory may go */
};

struct tcp {
    uv_tcp_t handle;
    struct timer timer;
    const struct tcp_events *events;
    int64_t due_mono_ms;
    struct tcp_flight *flight; /* what the system is taking now */
    struct buffer waiting;        /* what comes after it */
    bool reading, closing, ending, shut;
    bool of_client; /* set by its owner: where many send at once it may stand in line for a later turn of the loop */
    bool in_line, has_turn;
    struct tcp *before, *behind; /* in the line */
};

/* Embedded in its owner; 0 or negative, after which there is nothing to close. */
int tcp_init(struct tcp *tcp, const struct tcp_events *events);
void tcp_read(struct tcp *tcp, bool on);
/* Writes at once what the system takes and keeps a copy of the rest. 0; -EPIPE when it closes; -ENOMEM, and then only closing is left. */
int tcp_write(struct tcp *tcp, struct text first, struct text second);
/* Bytes that are kept: what waits, and all of what the system is taking. */
size_t tcp_queued(const struct tcp *tcp);
/* Of these, what the system has not taken yet: less than before if the other side reads. */
size_t tcp_unwritten(const struct tcp *tcp);
/* Once all is written the other side is told that no more comes. */
void tcp_end(struct tcp *tcp);
/* Calls `due` at that time; 0 never. Cheap to move to a later time. */
void tcp_set_due(struct tcp *tcp, int64_t mono_ms);
/* At once, whatever waits. `closed` follows from the loop. Twice is fine. */
void tcp_close(struct tcp *tcp);

#endif
