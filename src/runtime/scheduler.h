/* What worker.c, fiber.c and fiber_lock.c share. Only src/runtime includes this. */
#ifndef PURSER_RUNTIME_SCHEDULER_H
#define PURSER_RUNTIME_SCHEDULER_H

#include "runtime/timers.h"
#include "runtime/worker.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The fibers of one worker. */
struct scheduler {
    struct fiber *alive;              /* all that run or wait */
    struct fiber *idle;               /* ended, with their stacks, to be used again */
    struct fiber *bare;               /* ended, without a stack: a late wake may still look at them, so they stay */
    struct fiber *ready, *ready_last; /* woken, in order */
    unsigned alive_count, idle_count;
};

struct worker {
    unsigned index, turn;
    bool stopping;
    uv_loop_t loop;
    uv_async_t bell;
    uv_timer_t clock;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_thread_t thread;
    int64_t clock_due; /* what the clock is set to; 0: not set */
    struct timers timers;
    struct scheduler scheduler;
    _Atomic(struct mail *) mailbox;
};

/* NULL on a thread that is no worker. */
extern _Thread_local struct worker *this_worker;

/* Aborts with a line that names the running fiber and `fiber` (may be NULL). */
_Noreturn void fiber_misuse(const char *what, const struct fiber *fiber);

/* Before worker 0's loop goes. */
void signals_close(void);

/* Runs the fibers that are ready now, not those that they make ready; true if some are ready then. */
bool scheduler_run(struct scheduler *scheduler);
void scheduler_cancel_all(struct scheduler *scheduler);
/* Unmaps idle stacks and frees what waits for nobody. With no fiber alive. */
void scheduler_fini(struct scheduler *scheduler);

#endif
