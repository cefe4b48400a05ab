/*
 * Streams on uv_tcp. Writing tries the system first, so that the usual answer costs one call and no memory; what it does not take is
 * copied, and flies as one uv_write at a time with the rest gathered behind it. Reading goes through one buffer a thread.
 */
#include "http/stream.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READ_BUFFER_SIZE (64 * 1024)

struct stream_flight {
    uv_write_t write;
    struct buffer bytes;
};

static _Thread_local char read_buffer[READ_BUFFER_SIZE];

static struct stream *stream_of(void *handle)
{
    return ((uv_handle_t *)handle)->data;
}

/* ---- time ---- */

static void on_timer(void *arg)
{
    struct stream *stream = arg;
    if (!stream->due_mono_ms)
        return;
    if (clock_mono_ms() < stream->due_mono_ms) {
        timer_start(&stream->timer, stream->due_mono_ms, on_timer, stream);
        return;
    }
    stream->due_mono_ms = 0;
    if (stream->events->due)
        stream->events->due(stream);
}

void stream_set_due(struct stream *stream, int64_t mono_ms)
{
    stream->due_mono_ms = mono_ms;
    if (!mono_ms || stream->closing)
        return;
    /* A timer that fires too early starts itself again: moving to a later time, which happens at every request, is free. */
    if (stream->timer.place && stream->timer.due_mono_ms <= mono_ms)
        return;
    if (stream->timer.place)
        timer_stop(&stream->timer);
    timer_start(&stream->timer, mono_ms, on_timer, stream);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle;
    (void)suggested;
    *ret_buffer = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct stream *stream = stream_of(handle);
    if (stream->closing || size == 0)
        return;
    if (size > 0) {
        stream->events->read(stream, (struct text){buffer->base, (size_t)size});
        return;
    }
    stream_read(stream, false);
    stream->events->ended(stream, size == UV_EOF ? 0 : (int)size);
}

void stream_read(struct stream *stream, bool on)
{
    if (stream->closing || stream->reading == on)
        return;
    stream->reading = on;
    if (!on)
        uv_read_stop((uv_stream_t *)&stream->tcp);
    else if (uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read))
        stream_drop(stream);
}

int stream_init(struct stream *stream, const struct stream_events *events)
{
    *stream = (struct stream){.events = events};
    int error = uv_tcp_init(worker_loop(), &stream->tcp);
    stream->tcp.data = stream;
    return error;
}

/* ---- writing ---- */

size_t stream_queued(const struct stream *stream)
{
    return stream->waiting.size + (stream->flight ? stream->flight->bytes.size : 0);
}

static void free_flight(struct stream *stream)
{
    buffer_fini(&stream->flight->bytes);
    free(stream->flight);
    stream->flight = NULL;
}

static void shut_if_done(struct stream *stream)
{
    uv_os_fd_t fd;
    if (!stream->ending || stream->shut || stream_queued(stream) || uv_fileno((uv_handle_t *)&stream->tcp, &fd))
        return;
    stream->shut = true;
    shutdown(fd, SHUT_WR);
}

static int fly(struct stream *stream);

static void on_written(uv_write_t *write, int status)
{
    struct stream *stream = stream_of(write->handle);
    free_flight(stream);
    if (stream->closing)
        return;
    if (!status && stream->waiting.size)
        status = fly(stream);
    if (status) {
        stream->events->ended(stream, status);
        return;
    }
    if (stream->flight)
        return;
    shut_if_done(stream);
    if (stream->events->written)
        stream->events->written(stream);
}

/* Hands everything that waits to the system. */
static int fly(struct stream *stream)
{
    struct stream_flight *flight = memory_get(sizeof *flight);
    if (!flight)
        return -ENOMEM;
    flight->bytes = stream->waiting;
    stream->waiting = (struct buffer){0};
    stream->flight = flight;
    uv_buf_t bytes = uv_buf_init(flight->bytes.at, (unsigned)flight->bytes.size);
    int error = uv_write(&flight->write, (uv_stream_t *)&stream->tcp, &bytes, 1, on_written);
    if (error)
        free_flight(stream);
    return error;
}

static size_t write_now(struct stream *stream, struct text first, struct text second)
{
    uv_buf_t bytes[2] = {uv_buf_init((char *)first.at, (unsigned)first.size), uv_buf_init((char *)second.at, (unsigned)second.size)};
    int taken = uv_try_write((uv_stream_t *)&stream->tcp, bytes, second.size ? 2 : 1);
    return taken > 0 ? (size_t)taken : 0; /* what is broken shows when the rest flies */
}

static void keep(struct stream *stream, struct text bytes, size_t *skip)
{
    size_t skipped = *skip < bytes.size ? *skip : bytes.size;
    *skip -= skipped;
    if (bytes.size > skipped)
        buffer_add(&stream->waiting, bytes.at + skipped, bytes.size - skipped);
}

int stream_write(struct stream *stream, struct text first, struct text second)
{
    if (stream->closing || stream->ending)
        return -EPIPE;
    size_t skip = 0;
    if (!stream_queued(stream)) {
        skip = write_now(stream, first, second);
        if (skip == first.size + second.size)
            return 0;
    }
    keep(stream, first, &skip);
    keep(stream, second, &skip);
    if (stream->waiting.failed)
        return -ENOMEM;
    return stream->flight ? 0 : fly(stream);
}

void stream_end(struct stream *stream)
{
    stream->ending = true;
    if (!stream->closing)
        shut_if_done(stream);
}

/* ---- end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = stream_of(handle);
    buffer_fini(&stream->waiting);
    stream->events->closed(stream);
}

void stream_drop(struct stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    stream->due_mono_ms = 0;
    if (stream->timer.place)
        timer_stop(&stream->timer);
    uv_close((uv_handle_t *)&stream->tcp, on_closed);
}
