/* Looking at workers from outside. The engine's own limits do not hold (a native call does not look at its watchdog), so
 * each worker that is at a call is looked at every few milliseconds, and killed when it is over a limit. Private memory
 * is what its resident set has beyond files: shared libraries are nobody's fault. A call that has used much processor
 * time sinks to the idle class, so that it does not get in the way of the short ones; where the host has the right to, it is raised for
 * moments if it gets next to nothing, and again when a call of the same process has turned out to be short. */
#include "function_host/watch.h"
#include "function_host/timers.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Longer where a process cannot be raised again: there it ends with its call, and the next one waits for another. */
#define DEMOTE_AFTER_NS 5000000u
#define DEMOTE_FOR_GOOD_AFTER_NS 20000000u
/* A hundredth of one processor, for a call that has been demoted: a busy machine slows it down, and never stops it. */
#define LEAST_SHARE 100
/* A process that was killed gives its memory back at its own priority, which may take for ever on a busy machine. */
#define END_WITHIN_NS 200000000u

static bool may_raise;

void watch_init(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };
    /* In a user namespace of our own the capability does not count for this. */
    may_raise = geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 && data[0].effective & (1u << CAP_SYS_NICE);
}

static bool set_policy(pid_t pid, int policy)
{
    struct sched_param none = { 0 };
    return sched_setscheduler(pid, policy, &none) == 0;
}

void watch_demote(struct watch_worker *worker, struct function_slot *slot)
{
    set_policy(worker->pid, SCHED_IDLE);
    worker->lifted = false;
    worker->demoted_at_ns = 0; /* noted at the next look */
    atomic_store(&slot->demoted, may_raise ? FUNCTION_DEMOTION_FOR_NOW : FUNCTION_DEMOTION_FOREVER);
}

void watch_begin(struct watch_worker *worker, const struct function_slot *slot, int proc_fd)
{
    worker->call_number = atomic_load(&slot->call_number);
    worker->at_call = atomic_load(&slot->deadline_ns) != 0; /* its loading may have been begun by now */
    char path[32];
    snprintf(path, sizeof(path), "%d/statm", (int)worker->pid);
    worker->statm_fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (clock_getcpuclockid(worker->pid, &worker->cpu_clock))
        worker->cpu_clock = CLOCK_REALTIME; /* never compares as processor time: see cpu_ns */
}

void watch_end(struct watch_worker *worker)
{
    if (worker->statm_fd >= 0)
        close(worker->statm_fd);
    worker->statm_fd = -1;
}

static uint64_t cpu_ns(const struct watch_worker *worker)
{
    struct timespec used;
    if (worker->cpu_clock == CLOCK_REALTIME || clock_gettime(worker->cpu_clock, &used))
        return 0;
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* 0 when it cannot be told. */
static uint32_t private_kb(const struct watch_worker *worker)
{
    char text[128];
    ssize_t length = worker->statm_fd < 0 ? -1 : pread(worker->statm_fd, text, sizeof(text) - 1, 0);
    if (length <= 0)
        return 0;
    text[length] = 0;
    char *at = text;
    strtoul(at, &at, 10);
    unsigned long resident = strtoul(at, &at, 10);
    unsigned long shared = strtoul(at, &at, 10);
    static long page_kb;
    if (!page_kb)
        page_kb = sysconf(_SC_PAGESIZE) / 1024;
    return resident > shared ? (uint32_t)((resident - shared) * (unsigned long)page_kb) : 0;
}

static void kill_worker(struct watch_worker *worker, enum function_exit reason)
{
    worker->killed_for = reason;
    worker->killed_at_ns = timers_now_ns();
    kill(worker->pid, SIGKILL);
}

/* The idle class alone may get nothing at all for as long as others are busy. */
static void hold_least_share(struct watch_worker *worker, uint64_t used_ns)
{
    uint64_t now_ns = timers_now_ns();
    if (!worker->demoted_at_ns) {
        worker->demoted_at_ns = now_ns;
        worker->demoted_cpu_ns = used_ns;
    }
    bool lift = (used_ns - worker->demoted_cpu_ns) * LEAST_SHARE < now_ns - worker->demoted_at_ns;
    if (lift != worker->lifted && may_raise && set_policy(worker->pid, lift ? SCHED_OTHER : SCHED_IDLE))
        worker->lifted = lift;
}

/* Raised if it was short, and stays where it is otherwise: most calls of a function are alike. Being loaded is no call. */
static void note_end(struct watch_worker *worker, struct function_slot *slot)
{
    uint64_t used_ns = cpu_ns(worker) - worker->cpu_start_ns;
    bool rises = worker->loaded && used_ns < DEMOTE_AFTER_NS;
    if (atomic_load(&slot->demoted) == FUNCTION_DEMOTION_FOR_NOW && set_policy(worker->pid, rises ? SCHED_OTHER : SCHED_IDLE)) {
        atomic_store(&slot->demoted, rises ? FUNCTION_DEMOTION_NONE : FUNCTION_DEMOTION_FOR_NOW);
        worker->lifted = false;
    }
    worker->loaded = true;
    worker->cpu_start_ns += used_ns;
}

static void note_start(struct watch_worker *worker)
{
    worker->cpu_start_ns = cpu_ns(worker);
    worker->demoted_at_ns = 0;
}

static void look_at_call(struct watch_worker *worker, struct function_slot *slot, uint64_t deadline_ns)
{
    uint64_t used_ns = cpu_ns(worker) - worker->cpu_start_ns;
    uint64_t cpu_limit_ns = atomic_load(&slot->cpu_limit_ns);
    uint32_t memory_kb = private_kb(worker);
    atomic_store(&slot->resident_kb, memory_kb);
    if (memory_kb > worker->memory_kb)
        kill_worker(worker, FUNCTION_EXIT_MEMORY);
    else if (timers_now_ns() >= deadline_ns)
        kill_worker(worker, FUNCTION_EXIT_TIMEOUT);
    else if (cpu_limit_ns && used_ns > cpu_limit_ns)
        kill_worker(worker, FUNCTION_EXIT_CPU);
    else if (atomic_load(&slot->demoted))
        hold_least_share(worker, used_ns);
    else if (used_ns > (may_raise ? DEMOTE_AFTER_NS : DEMOTE_FOR_GOOD_AFTER_NS))
        watch_demote(worker, slot);
}

bool watch_look(struct watch_worker *worker, struct function_slot *slot)
{
    uint64_t deadline_ns = atomic_load(&slot->deadline_ns);
    uint32_t number = atomic_load(&slot->call_number);
    if (worker->killed_for) {
        if (may_raise && timers_now_ns() - worker->killed_at_ns > END_WITHIN_NS)
            set_policy(worker->pid, SCHED_OTHER);
        return true;
    }
    bool at_call = deadline_ns != 0;
    uint32_t begun = number - worker->call_number; /* since the last look, and some may have ended, too */
    if (begun + worker->at_call > at_call)
        note_end(worker, slot);
    if (at_call && (begun || !worker->at_call))
        note_start(worker);
    worker->at_call = at_call;
    worker->call_number = number;
    if (!at_call)
        return false;
    look_at_call(worker, slot, deadline_ns);
    return true;
}
