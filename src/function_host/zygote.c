/* The zygote: one thread, one poll loop. It sleeps while no worker is at a call, and looks at all that are every few
 * milliseconds otherwise. The service tells it of a call by writing the deadline into the shared table, which costs the
 * service no system call unless the zygote has gone to sleep. */
#include "function_host/zygote.h"
#include "function_host/groups.h"
#include "function_host/seal.h"
#include "function_host/timers.h"
#include "function_host/walls.h"
#include "function_host/watch.h"
#include "function_host/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY_MS 5
/* How long it goes on looking after the last call, so that a steady trickle of calls needs no waking, and whoever stood back has come forward. */
#define AWAKE_AFTER_CALL_NS 500000000u

struct zygote {
    int command_fd;
    int signal_fd;
    struct function_slots *slots;
    size_t slots_bytes;
    uint32_t walls;
    uint64_t last_call_ns;
    uint32_t used; /* no worker lies in a slot at or beyond this */
    struct watch_worker worker[WATCH_WORKERS_MAX];
};

static struct zygote zygote;

/* The child's side of a fork: forgets the host, seals itself, works. */
static _Noreturn void become_worker(int socket_fd, uint32_t slot, bool sunk)
{
    if (sunk)
        watch_sink_self();
    sigset_t all;
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (zygote.slots)
        munmap(zygote.slots, zygote.slots_bytes);
    if (seal_worker(socket_fd, slot))
        _exit(1);
    worker_main(SEAL_SOCKET_FD);
}

static void end_slot(uint32_t index, enum function_exit reason, uint32_t detail)
{
    struct function_slot *slot = &zygote.slots->slot[index];
    atomic_store(&slot->exit_detail, detail);
    atomic_store(&slot->exit, reason);
}

static void spawn(const struct function_command *command, int socket_fd)
{
    if (command->slot >= zygote.slots->count || command->slot >= WATCH_WORKERS_MAX || zygote.worker[command->slot].pid ||
        !memchr(command->function, 0, sizeof(command->function))) {
        close(socket_fd);
        return;
    }
    struct budget *budget = budget_take(command->function, timers_now_ns());
    pid_t pid = walls_fork(&zygote.walls);
    if (pid == 0)
        become_worker(socket_fd, command->slot, budget->used_up);
    if (pid < 0) {
        end_slot(command->slot, FUNCTION_EXIT_NO_SPAWN, (uint32_t)errno);
        budget_give(budget);
        close(socket_fd);
        return;
    }
    struct watch_worker *worker = &zygote.worker[command->slot];
    *worker = (struct watch_worker){.pid = pid, .socket_fd = socket_fd, .memory_kb = command->memory_kb, .budget = budget};
    struct function_slot *slot = &zygote.slots->slot[command->slot];
    watch_begin(worker, slot, walls_proc());
    atomic_store(&slot->grouped, 0);
    worker->moving = groups_move(command->slot, pid, command->memory_kb);
    if (command->slot >= zygote.used)
        zygote.used = command->slot + 1;
}

static enum function_exit exit_reason(uint32_t index, int status, uint32_t *ret_detail)
{
    const struct watch_worker *worker = &zygote.worker[index];
    *ret_detail = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : (uint32_t)WEXITSTATUS(status);
    bool by_kernel = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && groups_was_killed(index);
    if (worker->killed_for)
        return worker->killed_for;
    if (by_kernel)
        return FUNCTION_EXIT_MEMORY;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? FUNCTION_EXIT_FORBIDDEN : FUNCTION_EXIT_CRASHED;
    return WEXITSTATUS(status) ? FUNCTION_EXIT_NO_SPAWN : FUNCTION_EXIT_QUIT;
}

static void bury(uint32_t index, int status, const struct rusage *usage)
{
    struct watch_worker *worker = &zygote.worker[index];
    uint32_t detail;
    enum function_exit reason = exit_reason(index, status, &detail);
    worker->pid = 0;
    watch_end(worker, usage);
    end_slot(index, reason, detail);
    close(worker->socket_fd); /* last: the service reads the reason when it sees this */
}

static void reap(void)
{
    int status;
    struct rusage usage;
    for (uint32_t i = 0; i < zygote.used; i++) {
        struct watch_worker *worker = &zygote.worker[i];
        if (worker->pid && !worker->moving && wait4(worker->pid, &status, WNOHANG, &usage) == worker->pid)
            bury(i, status, &usage);
    }
    while (zygote.used && !zygote.worker[zygote.used - 1].pid)
        zygote.used--;
}

/* Workers that have been moved, and may be reaped if they have ended meanwhile. */
static void receive_moved(void)
{
    uint32_t slot;
    bool inside, gone;
    while (groups_moved(&slot, &inside, &gone)) {
        if (slot >= zygote.used || !zygote.worker[slot].moving)
            continue;
        zygote.worker[slot].moving = false;
        atomic_store(&zygote.slots->slot[slot].grouped, inside);
    }
    if (gone) {
        fprintf(stderr, "purser-function-host: whoever moves workers into their memory groups has ended; the watch alone holds them\n");
        for (uint32_t i = 0; i < zygote.used; i++)
            zygote.worker[i].moving = false;
    }
    reap();
}

/* False when the service is gone. */
static bool receive_command(void)
{
    struct function_command command;
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = { .iov_base = &command, .iov_len = sizeof(command) };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t got = recvmsg(zygote.command_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    int fd = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    if (got != sizeof(command)) {
        if (fd >= 0)
            close(fd);
        return true;
    }
    if (command.type == FUNCTION_COMMAND_SPAWN && fd >= 0)
        spawn(&command, fd);
    else if (fd >= 0)
        close(fd);
    if (command.type == FUNCTION_COMMAND_WAKE)
        zygote.last_call_ns = timers_now_ns();
    return true;
}

static bool look_at_all(void)
{
    bool busy = false;
    for (uint32_t i = 0; i < zygote.used; i++)
        if (zygote.worker[i].pid)
            busy |= watch_look(&zygote.worker[i], &zygote.slots->slot[i]);
    for (uint32_t i = 0; i < zygote.used; i++)
        if (zygote.worker[i].pid)
            watch_place(&zygote.worker[i], &zygote.slots->slot[i]);
    if (busy)
        zygote.last_call_ns = timers_now_ns();
    return busy;
}

/* How long to wait: for ever once no call has been seen for a while and none began while it said so. */
static int patience_ms(bool busy)
{
    if (busy || timers_now_ns() - zygote.last_call_ns < AWAKE_AFTER_CALL_NS)
        return LOOK_EVERY_MS;
    atomic_store(&zygote.slots->asleep, 1);
    return look_at_all() ? LOOK_EVERY_MS : -1;
}

static void open_signals(void)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    zygote.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
}

static void drain_signals(void)
{
    struct signalfd_siginfo info;
    while (read(zygote.signal_fd, &info, sizeof(info)) == sizeof(info))
        ;
    reap();
}

static void kill_all(void)
{
    for (uint32_t i = 0; i < zygote.used; i++)
        if (zygote.worker[i].pid)
            kill(zygote.worker[i].pid, SIGKILL);
}

/* Forks one worker that does nothing, so that a wall that cannot stand shows before the first function does. */
static bool rehearse(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return false;
    pid_t pid = walls_fork(&zygote.walls);
    if (pid == 0) {
        close(pair[0]);
        become_worker(pair[1], 0, false);
    }
    close(pair[0]);
    close(pair[1]);
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void zygote_serve(int command_fd, struct function_slots *slots, uint32_t walls)
{
    zygote.command_fd = command_fd;
    zygote.walls = walls;
    if (groups_stand())
        zygote.walls |= FUNCTION_WALL_CGROUP;
    open_signals();
    watch_init();
    if (!rehearse()) {
        fprintf(stderr, "purser-function-host: a worker cannot be sealed on this system\n");
        exit(1);
    }
    zygote.slots = slots;
    zygote.slots_bytes = sizeof(*slots) + slots->count * sizeof(slots->slot[0]);
    struct function_ready ready = { .magic = FUNCTION_HOST_MAGIC, .walls = zygote.walls };
    if (send(command_fd, &ready, sizeof(ready), MSG_NOSIGNAL) != sizeof(ready))
        return;
    bool serving = true;
    while (serving) {
        struct pollfd fds[3] = {
            { .fd = zygote.command_fd, .events = POLLIN },
            { .fd = zygote.signal_fd, .events = POLLIN },
            { .fd = groups_fd(), .events = POLLIN },
        };
        poll(fds, 3, patience_ms(look_at_all()));
        atomic_store(&slots->asleep, 0);
        if (fds[1].revents)
            drain_signals();
        if (fds[2].revents)
            receive_moved();
        if (fds[0].revents)
            serving = receive_command();
    }
    kill_all();
}
