/*
 * A TCP connection as bytes both ways, on its worker's loop: the ground under the server's connections, the client and WebSockets. An
 * idle stream owns no buffer. For the files of this folder; nothing here waits.
 */
#ifndef PURSER_HTTP_STREAM_H
#define PURSER_HTTP_STREAM_H

#include "base/text.h"
#include "runtime/worker.h"

struct stream;

/* Called on the loop, never inside a call to the stream. NULL where nobody cares, except read, ended and closed. */
struct stream_events {
    void (*read)(struct stream *stream, struct text bytes); /* borrowed until it returns */
    void (*ended)(struct stream *stream, int error);        /* 0: the other side sends no more; else broken, and to be closed */
    void (*written)(struct stream *stream);                 /* nothing waits to be written any more */
    void (*due)(struct stream *stream);                     /* stream_set_due's time has come */
    void (*closed)(struct stream *stream);                  /* the last call: its memory may go */
};

struct stream {
    uv_tcp_t tcp;
    struct timer timer;
    const struct stream_events *events;
    int64_t due_mono_ms;
    struct stream_flight *flight; /* what the system is taking now */
    struct buffer waiting;        /* what comes after it */
    bool reading, closing, ending, shut;
};

/* Embedded in its owner; 0 or negative, after which there is nothing to close. */
int stream_init(struct stream *stream, const struct stream_events *events);
void stream_read(struct stream *stream, bool on);
/* Writes at once what the system takes and keeps a copy of the rest. 0; -EPIPE when it closes; -ENOMEM, and then only closing is left. */
int stream_write(struct stream *stream, struct text first, struct text second);
/* Bytes that wait. */
size_t stream_queued(const struct stream *stream);
/* Once all is written the other side is told that no more comes. */
void stream_end(struct stream *stream);
/* Calls `due` at that time; 0 never. Cheap to move to a later time. */
void stream_set_due(struct stream *stream, int64_t mono_ms);
/* At once, whatever waits. `closed` follows from the loop. Twice is fine. */
void stream_drop(struct stream *stream);

#endif
