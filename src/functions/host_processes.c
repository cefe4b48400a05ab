/* The processes of a life of the host: slots are taken and left, processes are forked by command, and told of their deadlines. */
#include "functions/host_life.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Called with the lock held. */
static int take_slot(struct host_life *life, uint32_t *ret_slot)
{
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        uint32_t slot = (life->next_slot + i) % SLOT_COUNT;
        if (life->leaving[slot] && atomic_load(&life->slots->slot[slot].exit) != FUNCTION_EXIT_NONE)
            life->leaving[slot] = life->taken[slot] = false;
        if (life->taken[slot])
            continue;
        struct function_slot *line = &life->slots->slot[slot];
        atomic_store(&line->exit, FUNCTION_EXIT_NONE);
        atomic_store(&line->deadline_ns, 0);
        atomic_store(&line->demoted, 0);
        life->taken[slot] = true;
        life->next_slot = slot + 1;
        *ret_slot = slot;
        return 0;
    }
    return -EAGAIN;
}

static int send_fork(struct host_life *life, uint32_t slot, const char *function, uint32_t memory_kb, int fd)
{
    struct function_command command = {.type = FUNCTION_COMMAND_SPAWN, .slot = slot, .memory_kb = memory_kb};
    snprintf(command.function, sizeof(command.function), "%s", function);
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = &command, .iov_len = sizeof(command)};
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
    return sendmsg(life->command_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(command) ? 0 : -errno;
}

/* Called with the lock held. */
static int fork_in(struct host_life *life, const char *function, uint32_t memory_kb, struct host_process *ret_process)
{
    int pair[2];
    uint32_t slot;
    int error = take_slot(life, &slot);
    if (error)
        return error;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        life->taken[slot] = false;
        return -EAGAIN;
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    error = send_fork(life, slot, function, memory_kb, pair[1]);
    close(pair[1]);
    if (error) {
        close(pair[0]);
        life->taken[slot] = false;
        if (error == -EAGAIN)
            return error;
        life->up = false; /* it has ended, and on_exit_of_host is on its way */
        return -ENOTCONN;
    }
    life->users++;
    *ret_process = (struct host_process){.life = life, .slot = slot, .fd = pair[0]};
    return 0;
}

int host_fork(const char *function, int64_t memory_kb, struct host_process *ret_process)
{
    pthread_mutex_lock(&host_lock);
    int error = host_current && host_current->up ? fork_in(host_current, function, (uint32_t)memory_kb, ret_process) : -ENOTCONN;
    pthread_mutex_unlock(&host_lock);
    return error;
}

void host_call_begin(const struct host_process *process, int64_t timeout_ms)
{
    struct function_slots *slots = process->life->slots;
    struct function_slot *slot = &slots->slot[process->slot];
    atomic_fetch_add(&slot->call_number, 1);
    atomic_store(&slot->cpu_limit_ns, (uint64_t)timeout_ms * 1000000);
    atomic_store(&slot->deadline_ns, ((uint64_t)clock_mono_us() + (uint64_t)timeout_ms * 1000) * 1000);
    if (!atomic_exchange(&slots->asleep, 0))
        return;
    struct function_command wake = {.type = FUNCTION_COMMAND_WAKE};
    send(process->life->command_fd, &wake, sizeof(wake), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void host_call_end(const struct host_process *process)
{
    atomic_store(&process->life->slots->slot[process->slot].deadline_ns, 0);
}

void host_kill(const struct host_process *process)
{
    host_call_begin(process, 0);
}

enum function_exit host_exit(const struct host_process *process, uint32_t *ret_detail)
{
    const struct function_slot *slot = &process->life->slots->slot[process->slot];
    *ret_detail = atomic_load(&slot->exit_detail);
    return atomic_load(&slot->exit);
}

uint32_t host_resident_kb(const struct host_process *process)
{
    return atomic_load(&process->life->slots->slot[process->slot].resident_kb);
}

bool host_is_demoted(const struct host_process *process)
{
    return atomic_load(&process->life->slots->slot[process->slot].demoted) == FUNCTION_DEMOTION_FOREVER;
}

void host_leave(struct host_process *process)
{
    close(process->fd);
    pthread_mutex_lock(&host_lock);
    process->life->leaving[process->slot] = true;
    host_life_unref(process->life);
    pthread_mutex_unlock(&host_lock);
    process->life = NULL;
}
