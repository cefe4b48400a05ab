/*
 * A worker: a thread with its own libuv loop and its own fibers. Workers share nothing on the hot path; they post calls to each
 * other. worker_post is the one channel between threads, and may be called from any thread, workers or not.
 */
#ifndef PURSER_RUNTIME_WORKER_H
#define PURSER_RUNTIME_WORKER_H

#include "base/err.h"
#include "runtime/fiber.h"

#include <stdint.h>
#include <uv.h>

#define WORKER_MAX 64

struct worker;

/* Starts `count` workers; worker 0 runs on the calling thread by worker_run. 0 or negative with words. */
int workers_start(unsigned count, struct err *err);
unsigned worker_count(void);
struct worker *worker_at(unsigned index);
/* NULL on a thread that is no worker. */
struct worker *worker_self(void);
unsigned worker_index(const struct worker *worker);
/* The loop of the calling worker. */
uv_loop_t *worker_loop(void);
/* The turns that the calling worker's loop has made, for who bounds what a turn does. Wraps. */
unsigned worker_turn(void);

/* Runs worker 0's loop on the calling thread until workers_stop, then joins the others. */
void worker_run(void);
/* Ends all loops once they have no more work posted; from any thread. */
void workers_stop(void);

/* Calls `run` on each worker's thread when its loop has ended: to free what is kept for each thread. Registered once, before the end. */
void workers_at_end(void (*run)(void));

/* Calls `run(arg)` on that worker's loop (outside a fiber). Order is kept per sending thread. 0, or -ENOMEM, or -ESHUTDOWN. */
int worker_post(struct worker *worker, void (*run)(void *arg), void *arg);
/* The same, on a new fiber named `name`. */
int worker_start_fiber(struct worker *worker, const char *name, void (*run)(void *arg), void *arg);

/* Wakes a fiber of any worker, on its own without a system call. The caller guarantees that the fiber still lives. Any thread. Never fails: it needs no
 * memory (the fiber carries its own link). */
void fiber_wake_from_thread(struct fiber *fiber);

/* As worker_post for callers that embed the message: never fails, needs no memory. `mail` must live until `run` is called and must not be
 * under way already. After the worker has ended it is never called. */
struct mail {
    struct mail *next;
    void (*run)(void *arg);
    void *arg;
};
void worker_send(struct worker *worker, struct mail *mail);

/* A one-shot timer on this worker's loop, for code that is not on a fiber. Embedded in the owner; timer_stop before it goes. Zero-initialise;
 * starting one that runs moves it. Starting and stopping need no memory. */
struct timer {
    int64_t due_mono_ms;
    void (*run)(void *arg);
    void *arg;
    unsigned place; /* 1 while running */
    struct timer *child, *next, *previous; /* in the worker's pairing heap; `previous` of a first child is its parent */
};
void timer_start(struct timer *timer, int64_t due_mono_ms, void (*run)(void *arg), void *arg);
void timer_stop(struct timer *timer);

#endif
