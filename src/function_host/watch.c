/* Looking at workers from outside. The engine's own limits do not hold (a native call does not look at its watchdog), so
 * each worker that is at a call is looked at every few milliseconds, and killed when it is over a limit. Private memory
 * is what its resident set has beyond files: shared libraries are nobody's fault. What calls use beyond
 * their first moment is taken from their function's budget; when that is used up, its workers sink to the idle class, so that they do not get in
 * the way of others, until it is full again. */
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

/* What a call may use before its function's budget pays, and what a worker may to come up and be loaded. */
#define CALL_FREE_NS 1000000u
#define LOAD_FREE_NS 5000000u
/* More where a process cannot be raised again: there it ends with its call, and the next one waits for another. */
#define BUDGET_NS 10000000
#define BUDGET_FOR_GOOD_NS 20000000
/* A process that was killed gives its memory back at its own priority, which may take for ever on a busy machine. */
#define END_WITHIN_NS 200000000u

static bool may_raise;

void watch_init(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };
    /* In a user namespace of our own the capability does not count for this. */
    may_raise = geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 && data[0].effective & (1u << CAP_SYS_NICE);
    budget_set_size(may_raise ? BUDGET_NS : BUDGET_FOR_GOOD_NS);
}

static bool set_policy(pid_t pid, int policy)
{
    struct sched_param none = { 0 };
    return sched_setscheduler(pid, policy, &none) == 0;
}

void watch_sink_self(void)
{
    set_policy(0, SCHED_IDLE);
}

static void move(struct watch_worker *worker, struct function_slot *slot, bool down)
{
    if (!set_policy(worker->pid, down ? SCHED_IDLE : SCHED_OTHER))
        return;
    worker->sunk = down;
    atomic_store(&slot->demoted, !down ? FUNCTION_DEMOTION_NONE : may_raise ? FUNCTION_DEMOTION_FOR_NOW : FUNCTION_DEMOTION_FOREVER);
}

void watch_begin(struct watch_worker *worker, struct function_slot *slot, int proc_fd)
{
    if (worker->budget->used_up)
        move(worker, slot, true);
    worker->call_number = atomic_load(&slot->call_number);
    worker->at_call = atomic_load(&slot->deadline_ns) != 0; /* its loading may have been begun by now */
    worker->free_ns = LOAD_FREE_NS;
    char path[32];
    snprintf(path, sizeof(path), "%d/statm", (int)worker->pid);
    worker->statm_fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (clock_getcpuclockid(worker->pid, &worker->cpu_clock))
        worker->cpu_clock = CLOCK_REALTIME; /* never compares as processor time: see cpu_ns */
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

/* Charges what was used since the last look, after `begun` more calls have. */
static void charge(struct watch_worker *worker, uint64_t now_cpu_ns, uint32_t begun)
{
    uint64_t used_ns = now_cpu_ns > worker->seen_cpu_ns ? now_cpu_ns - worker->seen_cpu_ns : 0;
    uint64_t free_ns = worker->free_ns + (uint64_t)begun * CALL_FREE_NS;
    uint64_t keep_ns = worker->loaded ? CALL_FREE_NS : LOAD_FREE_NS, left_ns = free_ns > used_ns ? free_ns - used_ns : 0;
    worker->seen_cpu_ns += used_ns;
    worker->free_ns = left_ns < keep_ns ? left_ns : keep_ns; /* what a call leaves is not for the next ones */
    budget_charge(worker->budget, used_ns > free_ns ? used_ns - free_ns : 0, timers_now_ns());
}

static uint64_t time_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

void watch_end(struct watch_worker *worker, const struct rusage *usage)
{
    charge(worker, time_ns(usage->ru_utime) + time_ns(usage->ru_stime), 0);
    budget_give(worker->budget);
    if (worker->statm_fd >= 0)
        close(worker->statm_fd);
    worker->statm_fd = -1;
}

void watch_place(struct watch_worker *worker, struct function_slot *slot)
{
    bool down = budget_charge(worker->budget, 0, timers_now_ns());
    if (!worker->killed_for && down != worker->sunk && (may_raise || (down && worker->at_call)))
        move(worker, slot, down);
}

static void look_at_call(struct watch_worker *worker, struct function_slot *slot, uint64_t deadline_ns)
{
    uint64_t used_ns = worker->seen_cpu_ns - worker->call_cpu_ns;
    uint64_t cpu_limit_ns = atomic_load(&slot->cpu_limit_ns);
    uint32_t memory_kb = private_kb(worker);
    atomic_store(&slot->resident_kb, memory_kb);
    if (memory_kb > worker->memory_kb)
        kill_worker(worker, FUNCTION_EXIT_MEMORY);
    else if (timers_now_ns() >= deadline_ns)
        kill_worker(worker, FUNCTION_EXIT_TIMEOUT);
    else if (cpu_limit_ns && used_ns > cpu_limit_ns)
        kill_worker(worker, FUNCTION_EXIT_CPU);
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
    if (!at_call && !begun && !worker->at_call)
        return false;
    charge(worker, cpu_ns(worker), begun);
    if (at_call && (begun || !worker->at_call))
        worker->call_cpu_ns = worker->seen_cpu_ns;
    worker->loaded |= begun + worker->at_call > at_call; /* one has ended */
    worker->at_call = at_call;
    worker->call_number = number;
    if (!at_call)
        return false;
    look_at_call(worker, slot, deadline_ns);
    return true;
}
