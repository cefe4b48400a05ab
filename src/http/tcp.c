/*
 * Streams on uv_tcp. Writing tries the system first, so that the usual answer costs one call and no memory; what it does not take is
 * copied, and flies as one uv_write at a time with the rest gathered behind it. Reading goes through one buffer a thread.
 *
 * Clients may be many, and what they send begins work: a turn of the loop reads so many of them, the others stand in a line for the next turns.
 * So each turn has room for the fibers, answers and mail that end what was begun.
 */
#include "http/tcp.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READ_BUFFER_SIZE (64 * 1024)
#define CLIENTS_A_TURN 512

struct tcp_flight {
    uv_write_t write;
    struct buffer bytes;
};

static _Thread_local char read_buffer[READ_BUFFER_SIZE];

static struct tcp *tcp_of(void *handle)
{
    return ((uv_handle_t *)handle)->data;
}

/* ---- time ---- */

static void on_timer(void *arg)
{
    struct tcp *tcp = arg;
    if (!tcp->due_mono_ms)
        return;
    if (clock_mono_ms() < tcp->due_mono_ms) {
        timer_start(&tcp->timer, tcp->due_mono_ms, on_timer, tcp);
        return;
    }
    tcp->due_mono_ms = 0;
    if (tcp->events->due)
        tcp->events->due(tcp);
}

void tcp_set_due(struct tcp *tcp, int64_t mono_ms)
{
    tcp->due_mono_ms = mono_ms;
    if (!mono_ms || tcp->closing)
        return;
    /* A timer that fires too early starts itself again: moving to a later time, which happens at every request, is free. */
    if (tcp->timer.place && tcp->timer.due_mono_ms <= mono_ms)
        return;
    if (tcp->timer.place)
        timer_stop(&tcp->timer);
    timer_start(&tcp->timer, mono_ms, on_timer, tcp);
}

/* ---- the line ---- */

static _Thread_local struct {
    struct tcp *first, *last;
    unsigned turn, clients; /* that were read in that turn */
    struct mail next_turn;
    bool called; /* next_turn is under way */
} line;

static void call_line(void);

static void stand_in_line(struct tcp *tcp)
{
    uv_read_stop((uv_stream_t *)&tcp->handle);
    tcp->in_line = true;
    tcp->behind = NULL;
    tcp->before = line.last;
    *(line.last ? &line.last->behind : &line.first) = tcp;
    line.last = tcp;
    call_line();
}

static void leave_line(struct tcp *tcp)
{
    if (!tcp->in_line)
        return;
    tcp->in_line = false;
    *(tcp->before ? &tcp->before->behind : &line.first) = tcp->behind;
    *(tcp->behind ? &tcp->behind->before : &line.last) = tcp->before;
}

/* ---- reading ---- */

static void start_reading(struct tcp *tcp);

static void on_next_turn(void *unused)
{
    line.called = false;
    for (unsigned i = 0; i < CLIENTS_A_TURN && line.first; i++) {
        struct tcp *tcp = line.first;
        leave_line(tcp);
        tcp->has_turn = true;
        start_reading(tcp);
    }
    call_line();
}

static void call_line(void)
{
    if (!line.first || line.called)
        return;
    line.called = true;
    line.next_turn = (struct mail){.run = on_next_turn};
    worker_send(worker_self(), &line.next_turn);
}

static bool has_turn(struct tcp *tcp)
{
    if (!tcp->of_client || tcp->has_turn) {
        tcp->has_turn = false;
        return true;
    }
    if (line.turn != worker_turn())
        line.clients = 0;
    line.turn = worker_turn();
    return !line.first && line.clients++ < CLIENTS_A_TURN;
}

/* Whoever gets no room is told so by on_read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)suggested;
    *ret_buffer = uv_buf_init(read_buffer, has_turn(tcp_of(handle)) ? sizeof read_buffer : 0);
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct tcp *tcp = tcp_of(handle);
    if (tcp->closing || size == 0)
        return;
    if (size == UV_ENOBUFS) {
        stand_in_line(tcp);
        return;
    }
    if (size > 0) {
        tcp->events->read(tcp, (struct text){buffer->base, (size_t)size});
        return;
    }
    tcp_read(tcp, false);
    tcp->events->ended(tcp, size == UV_EOF ? 0 : (int)size);
}

static void start_reading(struct tcp *tcp)
{
    if (uv_read_start((uv_stream_t *)&tcp->handle, on_alloc, on_read))
        tcp_close(tcp);
}

void tcp_read(struct tcp *tcp, bool on)
{
    if (tcp->closing || tcp->reading == on)
        return;
    tcp->reading = on;
    leave_line(tcp);
    if (on)
        start_reading(tcp);
    else
        uv_read_stop((uv_stream_t *)&tcp->handle);
}

int tcp_init(struct tcp *tcp, const struct tcp_events *events)
{
    *tcp = (struct tcp){.events = events};
    int error = uv_tcp_init(worker_loop(), &tcp->handle);
    tcp->handle.data = tcp;
    return error;
}

/* ---- writing ---- */

size_t tcp_queued(const struct tcp *tcp)
{
    return tcp->waiting.size + (tcp->flight ? tcp->flight->bytes.size : 0);
}

size_t tcp_unwritten(const struct tcp *tcp)
{
    return tcp->waiting.size + uv_stream_get_write_queue_size((const uv_stream_t *)&tcp->handle);
}

static void free_flight(struct tcp *tcp)
{
    buffer_fini(&tcp->flight->bytes);
    free(tcp->flight);
    tcp->flight = NULL;
}

static void shut_if_done(struct tcp *tcp)
{
    uv_os_fd_t fd;
    if (!tcp->ending || tcp->shut || tcp_queued(tcp) || uv_fileno((uv_handle_t *)&tcp->handle, &fd))
        return;
    tcp->shut = true;
    shutdown(fd, SHUT_WR);
}

static int fly(struct tcp *tcp);

static void on_written(uv_write_t *write, int status)
{
    struct tcp *tcp = tcp_of(write->handle);
    free_flight(tcp);
    if (tcp->closing)
        return;
    if (!status && tcp->waiting.size)
        status = fly(tcp);
    if (status) {
        tcp->events->ended(tcp, status);
        return;
    }
    if (tcp->flight)
        return;
    shut_if_done(tcp);
    if (tcp->events->written)
        tcp->events->written(tcp);
}

/* Hands everything that waits to the system. */
static int fly(struct tcp *tcp)
{
    struct tcp_flight *flight = memory_get(sizeof *flight);
    if (!flight)
        return -ENOMEM;
    flight->bytes = tcp->waiting;
    tcp->waiting = (struct buffer){0};
    tcp->flight = flight;
    uv_buf_t bytes = uv_buf_init(flight->bytes.at, (unsigned)flight->bytes.size);
    int error = uv_write(&flight->write, (uv_stream_t *)&tcp->handle, &bytes, 1, on_written);
    if (error)
        free_flight(tcp);
    return error;
}

static size_t write_now(struct tcp *tcp, struct text first, struct text second)
{
    uv_buf_t bytes[2] = {uv_buf_init((char *)first.at, (unsigned)first.size), uv_buf_init((char *)second.at, (unsigned)second.size)};
    int taken = uv_try_write((uv_stream_t *)&tcp->handle, bytes, second.size ? 2 : 1);
    return taken > 0 ? (size_t)taken : 0; /* what is broken shows when the rest flies */
}

static void keep(struct tcp *tcp, struct text bytes, size_t *skip)
{
    size_t skipped = *skip < bytes.size ? *skip : bytes.size;
    *skip -= skipped;
    if (bytes.size > skipped)
        buffer_add(&tcp->waiting, bytes.at + skipped, bytes.size - skipped);
}

int tcp_write(struct tcp *tcp, struct text first, struct text second)
{
    if (tcp->closing || tcp->ending)
        return -EPIPE;
    size_t skip = 0;
    if (!tcp_queued(tcp)) {
        skip = write_now(tcp, first, second);
        if (skip == first.size + second.size)
            return 0;
    }
    keep(tcp, first, &skip);
    keep(tcp, second, &skip);
    if (tcp->waiting.failed)
        return -ENOMEM;
    return tcp->flight ? 0 : fly(tcp);
}

void tcp_end(struct tcp *tcp)
{
    tcp->ending = true;
    if (!tcp->closing)
        shut_if_done(tcp);
}

/* ---- end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct tcp *tcp = tcp_of(handle);
    buffer_fini(&tcp->waiting);
    tcp->events->closed(tcp);
}

void tcp_close(struct tcp *tcp)
{
    if (tcp->closing)
        return;
    tcp->closing = true;
    leave_line(tcp);
    tcp->due_mono_ms = 0;
    if (tcp->timer.place)
        timer_stop(&tcp->timer);
    uv_close((uv_handle_t *)&tcp->handle, on_closed);
}
