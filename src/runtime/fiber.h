/*
 * Fibers: one runs one request or one message, straight down. A call marked FIBER_FN may park the fiber while the worker's
 * loop runs others; what it needs comes back as its return value. A fiber never changes its thread. Its stack is 64 KB with a
 * guard page: nothing on it recurses on input and no big arrays live there.
 */
#ifndef PURSER_RUNTIME_FIBER_H
#define PURSER_RUNTIME_FIBER_H

#include "base/arena.h"
#include "base/trace.h"

#include <stdbool.h>
#include <stdint.h>

#define FIBER_FN /* may park the calling fiber */

struct fiber;

/* Starts `run(arg)` on a fiber of this worker; it begins at once, before this call returns, and the caller goes on at its
 * first wait. From a fiber or from the loop. 0, or -ENOMEM (nothing was started). `name` must be a constant. */
int fiber_start(const char *name, void (*run)(void *arg), void *arg);

/* As fiber_start, with the arena that the fiber shall have (taken over; freed when it ends) and a call that is made if memory
 * ran short and the fiber was abandoned (may be NULL; runs on the fiber's stack after its defers have been kept). */
struct fiber_options {
    const char *name;
    void (*run)(void *arg);
    void *arg;
    struct arena *arena;            /* NULL: a new one */
    void (*abandoned)(void *arg);   /* NULL: log a line */
    int64_t deadline_mono_ms;       /* 0: none */
    const struct trace *trace;      /* NULL: none; must live as long as the fiber */
};
int fiber_start_with(const struct fiber_options *options, struct fiber **ret_fiber);

/* NULL outside a fiber. */
struct fiber *fiber_self(void);
/* The current fiber's arena; aborts outside a fiber. */
struct arena *fiber_arena(void);
/* arena_defer on the current fiber's arena. */
void fiber_defer(void (*run)(void *arg), void *arg);
/* NULL without. */
const struct trace *fiber_trace(void);

/* The time by which every wait gives up; 0: none. Setting returns the former one. */
int64_t fiber_deadline(void);
int64_t fiber_set_deadline(int64_t mono_ms);
/* The earlier of the fiber's deadline and now + ms, to be put back by fiber_set_deadline. */
int64_t fiber_narrow_deadline(int64_t ms);

/* Parks until fiber_wake. 0 if woken, -ECANCELED if cancelled (before or meanwhile), -ETIMEDOUT at the deadline. A wake that
 * came before the wait is kept (at most one). */
FIBER_FN int fiber_wait(void);
/* Parks until fiber_wake whatever else happens: for work that uses the fiber's memory on another thread. */
FIBER_FN void fiber_wait_uninterrupted(void);
/* Makes a parked fiber of this worker run soon (from the loop, not inside this call). */
void fiber_wake(struct fiber *fiber);
/* Its present or next wait gives -ECANCELED, and all later ones. */
void fiber_cancel(struct fiber *fiber);
/* 0, -ECANCELED or -ETIMEDOUT (the fiber's own deadline came first). */
FIBER_FN int fiber_sleep(int64_t ms);
/* Lets others run. */
FIBER_FN int fiber_yield(void);

/* Fibers alive on this worker. */
unsigned fiber_count(void);

/* A mutex between fibers of one worker. Zero-initialise. */
struct fiber_lock {
    struct fiber *owner;
    void *waiting;
};
FIBER_FN int fiber_lock(struct fiber_lock *lock);
void fiber_unlock(struct fiber_lock *lock);

#endif
