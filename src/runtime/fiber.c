/*
 * Fibers: a stack each, made once by makecontext and used for one run after the other; switches are _setjmp and _longjmp, which cost no
 * system call. This file is built without _FORTIFY_SOURCE, whose checked longjmp takes a switch for a bug.
 *
 * Always holds: a fiber runs on the worker that started it; whoever enters a fiber gets control back at its next wait or end; a struct
 * fiber is never freed while its worker lives, so that a wake that comes late finds memory of its type and is ignored.
 */
#include "runtime/fiber.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "runtime/scheduler.h"

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#endif
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define STACK_SIZE (256 * 1024) /* frames are larger there */
#else
#define STACK_SIZE (64 * 1024)
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#define IDLE_MAX 256 /* stacks kept by a worker for the next requests */

enum state { ENDED, RUNNING, PARKED, READY };

/* A place to come back to: a fiber, or the worker's own stack. */
struct place {
    jmp_buf context;
    jmp_buf *rescue; /* memory_rescue of that stack */
    struct fiber *fiber;
#ifdef WITH_ASAN
    void *fake_stack;
    const void *stack;
    size_t stack_size;
#endif
#ifdef WITH_TSAN
    void *tsan;
#endif
};

struct fiber {
    struct place place;
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
    char *mapping; /* guard page, then the stack; NULL: bare */
};

static _Thread_local struct fiber *current;
static _Thread_local struct place outside; /* the worker's own stack */

/* ---- switching ---- */

static void misuse(const char *what, const struct fiber *fiber)
{
    fprintf(stderr, "fiber: %s (running: %s, other: %s)\n", what, current ? current->name : "none", fiber ? fiber->name : "none");
    abort();
}

/* Leaves `from` for `to`; returns when somebody comes back to `from`. `first`: where `to` begins if it has never run. */
static void switch_place(struct place *from, struct place *to, const ucontext_t *first)
{
    from->rescue = memory_rescue;
#ifdef WITH_TSAN
    from->tsan = __tsan_get_current_fiber();
#endif
    if (_setjmp(from->context) == 0) {
#ifdef WITH_ASAN
        __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
#endif
#ifdef WITH_TSAN
        __tsan_switch_to_fiber(to->tsan, 0);
#endif
        if (first)
            setcontext(first);
        _longjmp(to->context, 1);
    }
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
    memory_rescue = from->rescue;
    current = from->fiber;
}

static struct place *current_place(void)
{
    return current ? &current->place : &outside;
}

/* `first`: as in switch_place. */
static void enter(struct fiber *fiber, const ucontext_t *first)
{
    fiber->entered_from = current_place();
    fiber->state = RUNNING;
    switch_place(fiber->entered_from, &fiber->place, first);
}

static void leave(struct fiber *fiber)
{
    struct place *back = fiber->entered_from;
    fiber->entered_from = NULL;
    switch_place(&fiber->place, back, NULL);
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
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &fiber->entered_from->stack, &fiber->entered_from->stack_size);
#endif
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

/* ---- stacks ---- */

static char *stack_map(void)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *mapping = mmap(NULL, guard + STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, guard, PROT_NONE)) {
        munmap(mapping, guard + STACK_SIZE);
        return NULL;
    }
#ifdef WITH_ASAN
    __lsan_register_root_region(mapping + guard, STACK_SIZE);
#endif
    return mapping;
}

static void stack_unmap(char *mapping)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
#ifdef WITH_ASAN
    __lsan_unregister_root_region(mapping + guard, STACK_SIZE);
#endif
    munmap(mapping, guard + STACK_SIZE);
}

/* Prepares the first entry, which is by setcontext since there is nothing to jump to yet. */
static int stack_prepare(struct fiber *fiber, ucontext_t *ret_context)
{
    char *mapping = stack_map();
    if (!mapping)
        return -ENOMEM;
    char *stack = mapping + sysconf(_SC_PAGESIZE);
    getcontext(ret_context);
    ret_context->uc_stack.ss_sp = stack;
    ret_context->uc_stack.ss_size = STACK_SIZE;
    ret_context->uc_link = NULL;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(ret_context, (void (*)(void))fiber_main, 2, (unsigned)(address >> 32), (unsigned)address);
    fiber->mapping = mapping;
#ifdef WITH_ASAN
    fiber->place.stack = stack;
    fiber->place.stack_size = STACK_SIZE;
#endif
#ifdef WITH_TSAN
    fiber->place.tsan = __tsan_create_fiber(0);
#endif
    return 0;
}

static void stack_drop(struct fiber *fiber)
{
#ifdef WITH_TSAN
    __tsan_destroy_fiber(fiber->place.tsan);
#endif
    stack_unmap(fiber->mapping);
    fiber->mapping = NULL;
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
    fiber->place.fiber = fiber;
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
        stack_drop(fiber);
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
        misuse("started on a thread that is no worker", NULL);
    struct arena *arena = options->arena ? options->arena : arena_new();
    struct fiber *fiber = arena ? take_fiber(worker) : NULL;
    ucontext_t context;
    bool first = fiber && !fiber->mapping;
    if (!fiber || (first && stack_prepare(fiber, &context))) {
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
        misuse("called outside a fiber", NULL);
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

void fiber_set_trace(const struct trace *trace)
{
    self()->trace = trace;
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

bool fiber_is_cancelled(void)
{
    return self()->cancelled;
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
        misuse("woken from another thread by fiber_wake", fiber);
    if (fiber->state == PARKED)
        make_ready(fiber, 0);
    else if (fiber->state != ENDED)
        fiber->wake_kept = true;
}

void fiber_wake_from_thread(struct fiber *fiber)
{
    if (!atomic_exchange(&fiber->wake_sent, true))
        worker_send(fiber->worker, &fiber->wake);
}

void fiber_cancel(struct fiber *fiber)
{
    if (fiber->worker != this_worker)
        misuse("cancelled from another thread", fiber);
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
        stack_drop(fiber);
        keep_bare(scheduler, fiber);
    }
    while ((fiber = pop(&scheduler->bare)))
        free(fiber);
}

/* ---- a mutex between fibers ---- */

struct lock_waiter {
    struct fiber *fiber;
    struct lock_waiter *next;
    bool has_it;
};

/* First come, first served: the waiters' list hangs in `waiting`, oldest first, and lies on the waiters' stacks. */
int fiber_lock(struct fiber_lock *lock)
{
    struct fiber *fiber = self();
    if (lock->owner == fiber)
        misuse("locks what it has locked", lock->owner);
    if (!lock->owner) {
        lock->owner = fiber;
        return 0;
    }
    struct lock_waiter waiter = {.fiber = fiber}, **at = (struct lock_waiter **)&lock->waiting;
    while (*at)
        at = &(*at)->next;
    *at = &waiter;
    int code = 0;
    while (!waiter.has_it && !(code = fiber_wait()))
        ;
    if (waiter.has_it)
        return 0;
    for (at = (struct lock_waiter **)&lock->waiting; *at != &waiter;)
        at = &(*at)->next;
    *at = waiter.next;
    return code;
}

void fiber_unlock(struct fiber_lock *lock)
{
    if (lock->owner != self())
        misuse("unlocks what another has locked", lock->owner);
    struct lock_waiter *first = lock->waiting;
    lock->owner = first ? first->fiber : NULL;
    if (!first)
        return;
    lock->waiting = first->next;
    first->has_it = true;
    fiber_wake(first->fiber);
}
