/* The blocking client. Every wait has a limit of ten seconds beyond the deadline of the call, after which the test fails: the
 * host promises to have killed the worker long before. */
#include "host_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define GRACE_MS 10000

/* The time is a bound for slow machines: whatever has to end by itself ends long before. */
const struct host_limits host_default_limits = {
    .memory_kb = 128 * 1024,
    .timeout_ms = 300000,
    .result_bytes_max = 256 * 1024,
    .log_bytes_max = 16 * 1024,
};

uint64_t host_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void exec_host(const char *executable, const char *groups, int command_fd, int slots_fd)
{
    int command = fcntl(command_fd, F_DUPFD, 20), slots = fcntl(slots_fd, F_DUPFD, 20);
    dup2(command, FUNCTION_HOST_COMMAND_FD);
    dup2(slots, FUNCTION_HOST_SLOTS_FD);
    close_range(FUNCTION_HOST_SLOTS_FD + 1, ~0u, 0);
    execl(executable, executable, groups, NULL);
    _exit(127);
}

void host_start(struct host *host, const char *executable)
{
    host_start_with(host, executable, "off");
}

void host_start_with(struct host *host, const char *executable, const char *groups)
{
    int pair[2];
    int slots_fd = memfd_create("slots", MFD_CLOEXEC);
    *host = (struct host){ .slots_bytes = sizeof(struct function_slots) + HOST_SLOTS * sizeof(struct function_slot) };
    assert_int_equal(ftruncate(slots_fd, (off_t)host->slots_bytes), 0);
    host->slots = mmap(NULL, host->slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slots_fd, 0);
    assert_true(host->slots != MAP_FAILED);
    host->slots->count = HOST_SLOTS;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    host->pid = fork();
    if (host->pid == 0)
        exec_host(executable, groups, pair[1], slots_fd);
    close(pair[1]);
    close(slots_fd);
    host->command_fd = pair[0];
    struct function_ready ready = { 0 };
    assert_int_equal(recv(host->command_fd, &ready, sizeof(ready), 0), sizeof(ready));
    assert_int_equal(ready.magic, FUNCTION_HOST_MAGIC);
    host->walls = ready.walls;
}

void host_stop(struct host *host)
{
    close(host->command_fd);
    waitpid(host->pid, NULL, 0);
    munmap(host->slots, host->slots_bytes);
}

static void send_spawn(struct host *host, uint32_t slot, const struct host_limits *limits, int fd)
{
    struct function_command command = {
        .type = FUNCTION_COMMAND_SPAWN,
        .slot = slot,
        .memory_kb = limits->memory_kb,
    };
    static unsigned spawned;
    if (limits->function)
        snprintf(command.function, sizeof(command.function), "%s", limits->function);
    else
        snprintf(command.function, sizeof(command.function), "test-%u", ++spawned);
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { .iov_base = &command, .iov_len = sizeof(command) };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    sendmsg(host->command_fd, &message, MSG_NOSIGNAL);
}

struct piece {
    const void *data;
    size_t length;
};

/* false: the worker is gone. */
static bool send_message(int fd, enum function_packet_type type, const struct piece *pieces, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += 4 + pieces[i].length + 1;
    uint8_t *body = malloc(total ? total : 1), *at = body;
    for (size_t i = 0; i < count; i++) {
        uint32_t length = (uint32_t)pieces[i].length;
        memcpy(at, &length, 4);
        if (length)
            memcpy(at + 4, pieces[i].data, length);
        at[4 + length] = 0;
        at += 4 + length + 1;
    }
    bool sent = true;
    size_t sent_bytes = 0, payload_max = FUNCTION_PACKET_BYTES_MAX - sizeof(struct function_packet);
    do {
        size_t part = total - sent_bytes < payload_max ? total - sent_bytes : payload_max;
        uint8_t packet[FUNCTION_PACKET_BYTES_MAX];
        struct function_packet header = {
            .type = (uint8_t)type,
            .more = sent_bytes + part < total,
            .fields = (uint16_t)count,
            .length = (uint32_t)part,
        };
        memcpy(packet, &header, sizeof(header));
        memcpy(packet + sizeof(header), body + sent_bytes, part);
        sent = send(fd, packet, sizeof(header) + part, MSG_NOSIGNAL) > 0;
        sent_bytes += part;
    } while (sent && sent_bytes < total);
    free(body);
    return sent;
}

static void begin_call(struct host_worker *worker, const struct host_limits *limits)
{
    struct function_slot *slot = &worker->host->slots->slot[worker->slot];
    atomic_fetch_add(&slot->call_number, 1);
    atomic_store(&slot->cpu_limit_ns, (uint64_t)limits->cpu_ms * 1000000);
    atomic_store(&slot->deadline_ns, (host_now_us() + (uint64_t)limits->timeout_ms * 1000) * 1000);
    if (atomic_exchange(&worker->host->slots->asleep, 0)) {
        struct function_command wake = { .type = FUNCTION_COMMAND_WAKE };
        send(worker->host->command_fd, &wake, sizeof(wake), MSG_NOSIGNAL);
    }
}

static char *copy_field(const uint8_t *body, size_t length, unsigned index, size_t *ret_length)
{
    size_t at = 0;
    for (;; index--) {
        uint32_t size;
        assert_true(at + 4 <= length);
        memcpy(&size, body + at, 4);
        assert_true(at + 4 + size + 1 <= length);
        if (index == 0) {
            char *copy = malloc((size_t)size + 1);
            memcpy(copy, body + at + 4, (size_t)size + 1);
            if (ret_length)
                *ret_length = size;
            return copy;
        }
        at += 4 + size + 1;
    }
}

static void add_log(struct host_answer *answer, const uint8_t *body, size_t length)
{
    char *level = copy_field(body, length, 0, NULL), *text = copy_field(body, length, 1, NULL);
    size_t had = answer->logs ? strlen(answer->logs) : 0;
    size_t size = had + strlen(level) + strlen(text) + 4;
    answer->logs = realloc(answer->logs, size);
    snprintf(answer->logs + had, size - had, "%s: %s\n", level, text);
    free(level);
    free(text);
}

static void take_answer(struct host_answer *answer, enum function_packet_type type, const uint8_t *body, size_t length)
{
    answer->type = type;
    if (type == FUNCTION_PACKET_RESULT) {
        answer->result = copy_field(body, length, 1, NULL);
    } else if (type == FUNCTION_PACKET_FAILED) {
        size_t size;
        char *failure = copy_field(body, length, 0, &size);
        assert_int_equal(size, sizeof(answer->failure));
        memcpy(&answer->failure, failure, size);
        free(failure);
        answer->name = copy_field(body, length, 1, NULL);
        answer->message = copy_field(body, length, 2, NULL);
        answer->stack = copy_field(body, length, 3, NULL);
    } else {
        assert_int_equal(type, FUNCTION_PACKET_LOADED);
    }
}

/* Reads packets until an answer or the end of the stream. */
static void receive_answer(struct host_worker *worker, const struct host_limits *limits, struct host_answer *ret_answer)
{
    struct function_slot *slot = &worker->host->slots->slot[worker->slot];
    uint64_t start_us = host_now_us();
    uint8_t *body = NULL;
    size_t length = 0;
    bool done = false;
    while (!done) {
        uint8_t packet[FUNCTION_PACKET_BYTES_MAX];
        struct pollfd readable = { .fd = worker->fd, .events = POLLIN };
        if (poll(&readable, 1, (int)limits->timeout_ms + GRACE_MS) == 0)
            fail_msg("no answer long after the deadline");
        ssize_t got = recv(worker->fd, packet, sizeof(packet), 0);
        if (got <= 0) {
            ret_answer->exit = atomic_load(&slot->exit);
            ret_answer->exit_detail = atomic_load(&slot->exit_detail);
            break;
        }
        struct function_packet header;
        memcpy(&header, packet, sizeof(header));
        assert_int_equal((size_t)got, sizeof(header) + header.length);
        body = realloc(body, length + header.length + 1);
        memcpy(body + length, packet + sizeof(header), header.length);
        length += header.length;
        if (header.more)
            continue;
        if (header.type == FUNCTION_PACKET_LOG)
            add_log(ret_answer, body, length);
        else
            take_answer(ret_answer, header.type, body, length);
        done = header.type != FUNCTION_PACKET_LOG;
        length = 0;
    }
    free(body);
    atomic_store(&slot->deadline_ns, 0);
    ret_answer->wait_us = host_now_us() - start_us;
}

void host_load(struct host *host, struct host_worker *worker, uint32_t slot, const struct host_limits *limits,
               const char *source, struct host_answer *ret_answer)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *worker = (struct host_worker){ .host = host, .slot = slot, .fd = pair[0] };
    *ret_answer = (struct host_answer){ 0 };
    atomic_store(&host->slots->slot[slot].exit, FUNCTION_EXIT_NONE);
    atomic_store(&host->slots->slot[slot].demoted, 0);
    send_spawn(host, slot, limits, pair[1]);
    close(pair[1]);
    struct function_load load = {
        .flags = limits->flags,
        .result_bytes_max = limits->result_bytes_max,
        .log_bytes_max = limits->log_bytes_max,
        .version = 1,
    };
    struct piece pieces[] = {
        { &load, sizeof(load) },
        { "test.js", strlen("test.js") },
        { source, strlen(source) },
        { "{\"greeting\":\"hello\"}", strlen("{\"greeting\":\"hello\"}") },
    };
    struct host_limits patient = *limits; /* starting takes its time on a busy machine, whatever a call may take */
    if (patient.timeout_ms < 5000)
        patient.timeout_ms = 5000;
    begin_call(worker, &patient);
    send_message(worker->fd, FUNCTION_PACKET_LOAD, pieces, 4);
    receive_answer(worker, &patient, ret_answer);
}

void host_call(struct host_worker *worker, const struct host_limits *limits, const char *event, const char *context,
               struct host_answer *ret_answer)
{
    *ret_answer = (struct host_answer){ 0 };
    struct piece pieces[] = { { event, strlen(event) }, { context, strlen(context) } };
    begin_call(worker, limits);
    send_message(worker->fd, FUNCTION_PACKET_CALL, pieces, 2);
    receive_answer(worker, limits, ret_answer);
}

void host_release(struct host_worker *worker)
{
    struct function_slot *slot = &worker->host->slots->slot[worker->slot];
    close(worker->fd);
    uint64_t limit_us = host_now_us() + GRACE_MS * 1000;
    while (atomic_load(&slot->exit) == FUNCTION_EXIT_NONE) {
        if (host_now_us() > limit_us)
            fail_msg("a worker outlives its socket");
        poll(NULL, 0, 1);
    }
}

void host_answer_fini(struct host_answer *answer)
{
    free(answer->result);
    free(answer->name);
    free(answer->message);
    free(answer->stack);
    free(answer->logs);
    *answer = (struct host_answer){ 0 };
}

void host_try(struct host *host, const struct host_limits *limits, const char *source, const char *event,
              struct host_answer *ret_answer)
{
    struct host_worker worker;
    host_load(host, &worker, 0, limits, source, ret_answer);
    if (ret_answer->type == FUNCTION_PACKET_LOADED) {
        host_answer_fini(ret_answer);
        host_call(&worker, limits, event, "{}", ret_answer);
    }
    host_release(&worker);
}
