/*
 * A wakeup joins one fiber that waits for work and any threads that bring some: rings between two waits are kept as one, and no wake is
 * left over for the fiber's other waits. Zero-initialise; it must outlive every ring.
 */
#ifndef PURSER_ENGINES_WAKEUP_H
#define PURSER_ENGINES_WAKEUP_H

#include "runtime/worker.h"

struct wakeup {
    _Atomic int state;
    struct fiber *fiber;
    struct worker *worker;
};

/* Any thread. */
void wakeup_ring(struct wakeup *wakeup);
/* 0 when rung, -ETIMEDOUT at `until_mono_ms` (0: never) or the fiber's deadline, -ECANCELED. One fiber at a time. */
FIBER_FN int wakeup_wait(struct wakeup *wakeup, int64_t until_mono_ms);
/* Until it is rung, whatever else happens. */
FIBER_FN void wakeup_wait_uninterrupted(struct wakeup *wakeup);

/* Runs `run(arg)` on a fiber of its own, with an arena of its own, and parks the caller until it has ended. For loops that live as
 * long as the process. 0, or -ENOMEM when memory ran short (before or in it). */
FIBER_FN int fiber_run_apart(const char *name, void (*run)(void *arg), void *arg);

#endif
