/*
 * Messages to and from a process of the host. The socket is SOCK_SEQPACKET: packets are whole or not there. A link has a poll handle on
 * every loop that has used it. A handle stays started when a fiber has been served, since mostly the next call comes to the same loop, and is
 * stopped by the first event that no fiber waits for there. A descriptor must outlive the handles that name it (libuv takes a closed one's number
 * out of its epoll set, whoever has it by then), so the last handle to close lets go of the process.
 */
#include "functions/link.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PAYLOAD_MAX (FUNCTION_PACKET_BYTES_MAX - sizeof(struct function_packet))

struct link_handle {
    uv_poll_t poll;
    struct link *link;
    struct worker *worker;
    struct fiber *waiter;
    int events; /* that it is started for; 0: stopped */
    struct timer timer;
    bool timed_out;
};

struct link {
    struct host_process process;
    atomic_uint users; /* the owner and the handles */
    bool is_asked;     /* nothing has come since the last message was sent */
    struct link_handle *handles[WORKER_MAX];
};

static _Thread_local uint8_t packet_room[FUNCTION_PACKET_BYTES_MAX];

struct link *link_new(struct host_process process)
{
    struct link *link = calloc(1, sizeof(*link));
    if (!link) {
        host_leave(&process);
        return NULL;
    }
    link->process = process;
    atomic_init(&link->users, 1);
    return link;
}

static void unref(struct link *link)
{
    if (atomic_fetch_sub(&link->users, 1) != 1)
        return;
    host_leave(&link->process);
    free(link);
}

static void handle_closed(uv_handle_t *poll)
{
    struct link_handle *handle = poll->data;
    struct link *link = handle->link;
    free(handle);
    unref(link);
}

static void close_handle(void *arg)
{
    struct link_handle *handle = arg;
    uv_close((uv_handle_t *)&handle->poll, handle_closed);
}

void link_free(struct link *link)
{
    if (!link)
        return;
    shutdown(link->process.fd, SHUT_RDWR);
    for (unsigned i = 0; i < WORKER_MAX; i++) {
        struct link_handle *handle = link->handles[i];
        if (handle && handle->worker == worker_self())
            close_handle(handle);
        else if (handle)
            worker_post(handle->worker, close_handle, handle);
    }
    unref(link);
}

const struct host_process *link_process(const struct link *link)
{
    return &link->process;
}

static struct link_handle *own_handle(struct link *link)
{
    unsigned index = worker_index(worker_self());
    struct link_handle *handle = link->handles[index];
    if (handle)
        return handle;
    handle = calloc(1, sizeof(*handle));
    if (!handle || uv_poll_init(worker_loop(), &handle->poll, link->process.fd)) {
        free(handle);
        return NULL;
    }
    handle->poll.data = handle;
    handle->link = link;
    handle->worker = worker_self();
    atomic_fetch_add(&link->users, 1);
    link->handles[index] = handle;
    return handle;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct link_handle *handle = poll->data;
    if (status < 0 || !handle->waiter) {
        uv_poll_stop(poll);
        handle->events = 0;
    }
    if (handle->waiter)
        fiber_wake(handle->waiter);
    handle->waiter = NULL;
}

static void on_timer(void *arg)
{
    struct link_handle *handle = arg;
    handle->timed_out = true;
    if (handle->waiter)
        fiber_wake(handle->waiter);
    handle->waiter = NULL;
}

static FIBER_FN int wait_for(struct link *link, int events, int64_t until_mono_ms)
{
    struct link_handle *handle = own_handle(link);
    if (!handle)
        return -EPIPE;
    handle->waiter = fiber_self();
    handle->timed_out = false;
    if (handle->events != events)
        uv_poll_start(&handle->poll, events, on_event);
    handle->events = events;
    timer_start(&handle->timer, until_mono_ms, on_timer, handle);
    fiber_wait_uninterrupted();
    timer_stop(&handle->timer);
    return handle->timed_out ? -ETIMEDOUT : 0;
}

static FIBER_FN int send_packet(struct link *link, const uint8_t *packet, size_t size, int64_t until_mono_ms)
{
    while (send(link->process.fd, packet, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -EPIPE;
        if (packet == packet_room) /* which others use meanwhile */
            packet = (const uint8_t *)arena_copy(fiber_arena(), packet, size);
        int error = wait_for(link, UV_WRITABLE, until_mono_ms);
        if (error)
            return error;
    }
    return 0;
}

static uint8_t *lay_out(const struct text *fields, unsigned count, uint8_t *at)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t length = (uint32_t)fields[i].size;
        memcpy(at, &length, sizeof(length));
        at += sizeof(length);
        if (length)
            memcpy(at, fields[i].at, length);
        at += length;
        *at++ = 0;
    }
    return at;
}

FIBER_FN int link_send(struct link *link, enum function_packet_type type, const struct text *fields, unsigned count, int64_t until_mono_ms)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++)
        total += sizeof(uint32_t) + fields[i].size + 1;
    struct function_packet packet;
    uint8_t *room = total <= PAYLOAD_MAX ? packet_room : arena_alloc(fiber_arena(), sizeof(packet) + total);
    lay_out(fields, count, room + sizeof(packet));
    size_t at = 0;
    link->is_asked = false;
    do {
        size_t part = total - at < PAYLOAD_MAX ? total - at : PAYLOAD_MAX;
        packet = (struct function_packet){
            .type = (uint8_t)type,
            .more = at + part < total,
            .fields = (uint16_t)count,
            .length = (uint32_t)part,
        };
        memcpy(room + at, &packet, sizeof(packet)); /* where the end of what has gone already was */
        int error = send_packet(link, room + at, sizeof(packet) + part, until_mono_ms);
        if (error)
            return error;
        at += part;
    } while (at < total);
    link->is_asked = true;
    return 0;
}

/* One packet into the thread's room. Its payload begins behind the header. */
static FIBER_FN int receive_packet(struct link *link, int64_t until_mono_ms, struct function_packet *ret_packet)
{
    int error = link->is_asked ? wait_for(link, UV_READABLE, until_mono_ms) : 0; /* nobody answers so soon that looking would pay */
    link->is_asked = false;
    while (!error) {
        ssize_t got = recv(link->process.fd, packet_room, sizeof(packet_room), MSG_DONTWAIT | MSG_TRUNC);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return -EPIPE;
        if (got < 0) {
            error = errno == EINTR ? 0 : wait_for(link, UV_READABLE, until_mono_ms);
            continue;
        }
        if ((size_t)got < sizeof(*ret_packet) || (size_t)got > sizeof(packet_room))
            return -EPROTO;
        memcpy(ret_packet, packet_room, sizeof(*ret_packet));
        return ret_packet->length == (size_t)got - sizeof(*ret_packet) ? 0 : -EPROTO;
    }
    return error;
}

static int split_fields(const char *body, size_t size, unsigned count, struct link_message *ret_message)
{
    size_t at = 0;
    if (count > FUNCTION_FIELDS_MAX)
        return -EPROTO;
    for (unsigned i = 0; i < count; i++) {
        uint32_t length;
        if (size - at < sizeof(length))
            return -EPROTO;
        memcpy(&length, body + at, sizeof(length));
        at += sizeof(length);
        if (length >= size - at || body[at + length])
            return -EPROTO;
        ret_message->fields[i] = (struct text){body + at, length};
        at += length + 1;
    }
    ret_message->count = count;
    return at == size ? 0 : -EPROTO;
}

FIBER_FN int link_receive(struct link *link, struct arena *arena, int64_t until_mono_ms, struct link_message *ret_message)
{
    struct function_packet first, packet;
    char *body = NULL;
    size_t size = 0, room = 0;
    do {
        int error = receive_packet(link, until_mono_ms, &packet);
        if (error)
            return error;
        if (!room)
            first = packet;
        if (packet.type != first.type || packet.fields != first.fields || size + packet.length > FUNCTION_MESSAGE_BYTES_MAX)
            return -EPROTO;
        if (size + packet.length > room || !room) {
            room = packet.more ? (size + packet.length) * 2 + 1 : size + packet.length + 1;
            char *larger = arena_alloc(arena, room);
            memcpy(larger, body ? body : "", size);
            body = larger;
        }
        memcpy(body + size, packet_room + sizeof(packet), packet.length);
        size += packet.length;
    } while (packet.more);
    ret_message->type = first.type;
    return split_fields(body, size, first.fields, ret_message);
}

bool link_is_dead(struct link *link)
{
    char byte;
    ssize_t got = recv(link->process.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}
