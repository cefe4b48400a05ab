/*
 * The life of fibers: each has a stack (place.c), used for one run after the other, and waits, is woken, cancelled, or gives up at its
 * deadline. Built without _FORTIFY_SOURCE like place.c: whoever is short of memory jumps to the bottom of its own stack.
 *
 * Always holds: a fiber runs on the worker that started it; whoever enters a fiber gets control back at its next wait or end; a struct
 * fiber is never freed while its worker lives, so that a wake that comes late finds memory of its type and is ignored.
 */
#include "runtime/fiber.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "runtime/place.h"
#include "runtime/scheduler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define IDLE_MAX 256 /* stacks kept by a worker for the next requests */

enum state { ENDED, RUNNING, PARKED, READY };

struct fiber {
    struct place place; /* its stack; without a mapping it is bare */
    struct place *entered_from; /* who gets control at the next wait */
    enum state state;
    int reason;          /* what the wait returns */
    bool wake_kept, cancelled, uninterrupted;
    const char *name;
    void (*run)(void *arg);
    void *arg;
    void (*abandoned)(void *arg);
    struct arena *arena;
    const struct trace *trace;
    int64_t deadline;
    struct timer timer;
    struct worker *worker;
    struct fiber *next, *previous; /* among the alive, or the idle */
    struct fiber *next_ready;
    struct mail wake;
    _Atomic bool wake_sent;
};

static _Thread_local struct fiber *current;
static _Thread_local struct place outside; /* the worker's own stack */

/* ---- switching ---- */

void fiber_misuse(const char *what, const struct fiber *fiber)
{
    fprintf(stderr, "fiber: %s (running: %s, other: %s)\n", what, current ? current->name : "none", fiber ? fiber->name : "none");
    abort();
}

/* `first`: as in place_switch. */
static void enter(struct fiber *fiber, const ucontext_t *first)
{
    struct fiber *back = current;
    fiber->entered_from = back ? &back->place : &outside;
    fiber->state = RUNNING;
    place_switch(fiber->entered_from, &fiber->place, first);
    current = back;
}

static void leave(struct fiber *fiber)
{
    struct place *back = fiber->entered_from;
    fiber->entered_from = NULL;
    place_switch(&fiber->place, back, NULL);
    current = fiber;
}

/* ---- the life of a fiber ---- */

static void run_once(struct fiber *fiber)
{
    jmp_buf rescue;
    memory_rescue = &rescue;
    if (_setjmp(rescue) == 0) {
        fiber->run(fiber->arg);
    } else {
        /* What is left to do is to answer and to give back; where even that is short of memory, the fiber just ends. */
        if (_setjmp(rescue) == 0) {
            if (fiber->abandoned)
                fiber->abandoned(fiber->arg);
            else
                log_error("out of memory, work abandoned", "{s:s}", "fiber", fiber->name);
        }
    }
    while (_setjmp(rescue) != 0)
        ;
    arena_free(fiber->arena);
    memory_rescue = NULL;
}

static void end(struct fiber *fiber);

/* The bottom of every fiber's stack: one run after the other. */
static void fiber_main(unsigned high, unsigned low)
{
    struct fiber *fiber = (struct fiber *)((uintptr_t)high << 32 | low);
    place_arrived(fiber->entered_from);
    current = fiber;
    for (;;) {
        run_once(fiber);
        end(fiber);
        leave(fiber);
    }
}

static void unlink_alive(struct scheduler *scheduler, struct fiber *fiber)
{
    if (fiber->previous)
        fiber->previous->next = fiber->next;
    else
        scheduler->alive = fiber->next;
    if (fiber->next)
        fiber->next->previous = fiber->previous;
    scheduler->alive_count--;
}

static void end(struct fiber *fiber)
{
    struct scheduler *scheduler = &fiber->worker->scheduler;
    timers_remove(&fiber->worker->timers, &fiber->timer);
    unlink_alive(scheduler, fiber);
    fiber->state = ENDED;
    fiber->arena = NULL;
    fiber->trace = NULL;
    fiber->next = scheduler->idle;
    scheduler->idle = fiber;
    scheduler->idle_count++;
}

/* ---- starting ---- */

static struct fiber *pop(struct fiber **list)
{
    struct fiber *fiber = *list;
    if (fiber)
        *list = fiber->next;
    return fiber;
}

static void wake_from_mail(void *arg)
{
    struct fiber *fiber = arg;
    atomic_store(&fiber->wake_sent, false);
    fiber_wake(fiber);
}

/* A fiber with a stack that has run before, or one that needs its first entry. NULL when memory is short. */
static struct fiber *take_fiber(struct worker *worker)
{
    struct scheduler *scheduler = &worker->scheduler;
    struct fiber *fiber = pop(&scheduler->idle);
    if (fiber) {
        scheduler->idle_count--;
        return fiber;
    }
    fiber = pop(&scheduler->bare);
    if (fiber)
        return fiber;
    fiber = memory_get_zeroed(sizeof *fiber);
    if (!fiber)
        return NULL;
    fiber->worker = worker;
    fiber->wake = (struct mail){.run = wake_from_mail, .arg = fiber};
    return fiber;
}

static void keep_bare(struct scheduler *scheduler, struct fiber *fiber)
{
    fiber->next = scheduler->bare;
    scheduler->bare = fiber;
}

static void give_back_idle(struct scheduler *scheduler)
{
    while (scheduler->idle_count > IDLE_MAX) {
        struct fiber *fiber = pop(&scheduler->idle);
        scheduler->idle_count--;
        place_drop_stack(&fiber->place);
        keep_bare(scheduler, fiber);
    }
}

static void put_alive(struct scheduler *scheduler, struct fiber *fiber)
{
    fiber->previous = NULL;
    fiber->next = scheduler->alive;
    if (scheduler->alive)
        scheduler->alive->previous = fiber;
    scheduler->alive = fiber;
    scheduler->alive_count++;
}

static void set_up(struct fiber *fiber, const struct fiber_options *options, struct arena *arena)
{
    fiber->name = options->name;
    fiber->run = options->run;
    fiber->arg = options->arg;
    fiber->abandoned = options->abandoned;
    fiber->arena = arena;
    fiber->trace = options->trace;
    fiber->deadline = options->deadline_mono_ms;
    fiber->wake_kept = fiber->cancelled = fiber->uninterrupted = false;
}

int fiber_start_with(const struct fiber_options *options, struct fiber **ret_fiber)
{
    struct worker *worker = this_worker;
    if (!worker)
        fiber_misuse("started on a thread that is no worker", NULL);
    struct arena *arena = options->arena ? options->arena : arena_new();
    struct fiber *fiber = arena ? take_fiber(worker) : NULL;
    ucontext_t context;
    bool first = fiber && !fiber->place.mapping;
    if (!fiber || (first && place_make_stack(&fiber->place, fiber_main, fiber, &context))) {
        if (fiber)
            keep_bare(&worker->scheduler, fiber);
        if (!options->arena)
            arena_free(arena);
        return -ENOMEM;
    }
    set_up(fiber, options, arena);
    put_alive(&worker->scheduler, fiber);
    if (ret_fiber)
        *ret_fiber = fiber;
    enter(fiber, first ? &context : NULL);
    give_back_idle(&worker->scheduler);
    return 0;
}

int fiber_start(const char *name, void (*run)(void *arg), void *arg)
{
    struct fiber_options options = {.name = name, .run = run, .arg = arg};
    return fiber_start_with(&options, NULL);
}

/* ---- what a fiber knows of itself ---- */

static struct fiber *self(void)
{
    if (!current)
        fiber_misuse("called outside a fiber", NULL);
    return current;
}

struct fiber *fiber_self(void)
{
    return current;
}

struct arena *fiber_arena(void)
{
    return self()->arena;
}

void fiber_defer(void (*run)(void *arg), void *arg)
{
    arena_defer(self()->arena, run, arg);
}

const struct trace *fiber_trace(void)
{
    return current ? current->trace : NULL;
}

int64_t fiber_deadline(void)
{
    return self()->deadline;
}

int64_t fiber_set_deadline(int64_t mono_ms)
{
    struct fiber *fiber = self();
    int64_t former = fiber->deadline;
    fiber->deadline = mono_ms;
    return former;
}

int64_t fiber_narrow_deadline(int64_t ms)
{
    int64_t former = fiber_deadline(), until = clock_mono_ms() + ms;
    if (!former || until < former)
        fiber_set_deadline(until);
    return former;
}

unsigned fiber_count(void)
{
    return this_worker ? this_worker->scheduler.alive_count : 0;
}

/* ---- waiting ---- */

static void make_ready(struct fiber *fiber, int reason)
{
    struct scheduler *scheduler = &fiber->worker->scheduler;
    timers_remove(&fiber->worker->timers, &fiber->timer);
    fiber->state = READY;
    fiber->reason = reason;
    fiber->next_ready = NULL;
    if (scheduler->ready)
        scheduler->ready_last->next_ready = fiber;
    else
        scheduler->ready = fiber;
    scheduler->ready_last = fiber;
}

static void deadline_came(void *arg)
{
    make_ready(arg, -ETIMEDOUT);
}

static int park(struct fiber *fiber)
{
    fiber->state = PARKED;
    leave(fiber);
    return fiber->reason;
}

int fiber_wait(void)
{
    struct fiber *fiber = self();
    if (fiber->cancelled)
        return -ECANCELED;
    if (fiber->deadline && fiber->deadline <= clock_mono_ms())
        return -ETIMEDOUT;
    if (fiber->wake_kept) {
        fiber->wake_kept = false;
        return 0;
    }
    if (fiber->deadline)
        timer_start(&fiber->timer, fiber->deadline, deadline_came, fiber);
    int reason = park(fiber);
    return fiber->cancelled ? -ECANCELED : reason;
}

void fiber_wait_uninterrupted(void)
{
    struct fiber *fiber = self();
    if (fiber->wake_kept) {
        fiber->wake_kept = false;
        return;
    }
    fiber->uninterrupted = true;
    park(fiber);
    fiber->uninterrupted = false;
}

void fiber_wake(struct fiber *fiber)
{
    if (fiber->worker != this_worker)
        fiber_misuse("woken from another thread by fiber_wake", fiber);
    if (fiber->state == PARKED)
        make_ready(fiber, 0);
    else if (fiber->state != ENDED)
        fiber->wake_kept = true;
}

void fiber_wake_from_thread(struct fiber *fiber)
{
    if (fiber->worker == this_worker)
        fiber_wake(fiber);
    else if (!atomic_exchange(&fiber->wake_sent, true))
        worker_send(fiber->worker, &fiber->wake);
}

void fiber_cancel(struct fiber *fiber)
{
    if (fiber->worker != this_worker)
        fiber_misuse("cancelled from another thread", fiber);
    if (fiber->state == ENDED)
        return;
    fiber->cancelled = true;
    if (fiber->state == PARKED && !fiber->uninterrupted)
        make_ready(fiber, -ECANCELED);
}

int fiber_sleep(int64_t ms)
{
    struct fiber *fiber = self();
    int64_t until = clock_mono_ms() + ms, former = fiber->deadline;
    bool own_first = former && former < until, woken = false;
    if (!own_first)
        fiber->deadline = until;
    int code;
    /* A wake that comes meanwhile is for a later wait. */
    while ((code = fiber_wait()) == 0)
        woken = true;
    fiber->deadline = former;
    fiber->wake_kept |= woken;
    return code == -ETIMEDOUT && !own_first ? 0 : code;
}

int fiber_yield(void)
{
    struct fiber *fiber = self();
    if (fiber->cancelled)
        return -ECANCELED;
    make_ready(fiber, 0);
    leave(fiber);
    return fiber->cancelled ? -ECANCELED : 0;
}

/* ---- the worker's side ---- */

bool scheduler_run(struct scheduler *scheduler)
{
    struct fiber *last = scheduler->ready_last;
    while (scheduler->ready) {
        struct fiber *fiber = scheduler->ready;
        scheduler->ready = fiber->next_ready;
        bool was_last = fiber == last;
        enter(fiber, NULL);
        if (was_last)
            break;
    }
    give_back_idle(scheduler);
    return scheduler->ready;
}

void scheduler_cancel_all(struct scheduler *scheduler)
{
    for (struct fiber *fiber = scheduler->alive; fiber; fiber = fiber->next)
        fiber_cancel(fiber);
}

void scheduler_fini(struct scheduler *scheduler)
{
    struct fiber *fiber;
    while ((fiber = pop(&scheduler->idle))) {
        place_drop_stack(&fiber->place);
        keep_bare(scheduler, fiber);
    }
    while ((fiber = pop(&scheduler->bare)))
        free(fiber);
}
