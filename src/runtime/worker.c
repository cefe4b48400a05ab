/*
 * Workers. Each iteration of a loop reads its mailbox, its timers and its sockets, and runs the fibers that became ready before it waits
 * again. The mailbox is a stack of messages that many threads push and one takes whole, so pushing is one compare-and-swap and the bell
 * rings only for the first.
 */
#include "runtime/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "runtime/scheduler.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define END_WAIT_MS 2000 /* for fibers to see that they are cancelled when the loops end */
#define ENDINGS_MAX 16

_Thread_local struct worker *this_worker;

static struct worker *workers;
static unsigned count;
static _Atomic bool stopping;
static void (*_Atomic endings[ENDINGS_MAX])(void);
static struct mail closed; /* the mailbox of a worker that has ended points here */

unsigned worker_count(void)
{
    return count;
}

struct worker *worker_at(unsigned index)
{
    return index < count ? &workers[index] : NULL;
}

struct worker *worker_self(void)
{
    return this_worker;
}

unsigned worker_index(const struct worker *worker)
{
    return worker->index;
}

uv_loop_t *worker_loop(void)
{
    return this_worker ? &this_worker->loop : NULL;
}

unsigned worker_turn(void)
{
    return this_worker->turn;
}

/* ---- mailbox ---- */

/* false when the worker has ended. */
static bool push(struct worker *worker, struct mail *mail)
{
    struct mail *head = atomic_load_explicit(&worker->mailbox, memory_order_relaxed);
    do {
        if (head == &closed)
            return false;
        mail->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&worker->mailbox, &head, mail, memory_order_release, memory_order_relaxed));
    if (!head)
        uv_async_send(&worker->bell);
    return true;
}

void worker_send(struct worker *worker, struct mail *mail)
{
    push(worker, mail);
}

/* Oldest first. */
static void read_mailbox(struct worker *worker, struct mail *leave)
{
    struct mail *newest = atomic_exchange_explicit(&worker->mailbox, leave, memory_order_acquire), *oldest = NULL;
    while (newest) {
        struct mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct mail *next = oldest->next; /* the mail may be gone or under way again once it has run */
        oldest->run(oldest->arg);
        oldest = next;
    }
}

struct posted {
    struct mail mail;
    void (*run)(void *arg);
    void *arg;
    const char *fiber_name; /* NULL: on the loop */
};

static void run_posted(void *arg)
{
    struct posted posted = *(struct posted *)arg;
    free(arg);
    if (!posted.fiber_name)
        posted.run(posted.arg);
    else if (fiber_start(posted.fiber_name, posted.run, posted.arg))
        log_error("out of memory, fiber not started", "{s:s}", "fiber", posted.fiber_name);
}

static int post(struct worker *worker, const char *fiber_name, void (*run)(void *arg), void *arg)
{
    struct posted *posted = memory_get(sizeof *posted);
    if (!posted)
        return -ENOMEM;
    *posted = (struct posted){.mail = {.run = run_posted, .arg = posted}, .run = run, .arg = arg, .fiber_name = fiber_name};
    if (push(worker, &posted->mail))
        return 0;
    free(posted);
    return -ESHUTDOWN;
}

int worker_post(struct worker *worker, void (*run)(void *arg), void *arg)
{
    return post(worker, NULL, run, arg);
}

int worker_start_fiber(struct worker *worker, const char *name, void (*run)(void *arg), void *arg)
{
    return post(worker, name, run, arg);
}

/* ---- timers ---- */

void timer_start(struct timer *timer, int64_t due_mono_ms, void (*run)(void *arg), void *arg)
{
    assert(this_worker);
    timers_remove(&this_worker->timers, timer);
    timer->due_mono_ms = due_mono_ms;
    timer->run = run;
    timer->arg = arg;
    timers_add(&this_worker->timers, timer);
}

void timer_stop(struct timer *timer)
{
    if (timer->place)
        timers_remove(&this_worker->timers, timer);
}

static void run_due(uv_timer_t *clock)
{
    struct worker *worker = clock->data;
    worker->clock_due = 0;
    int64_t now = clock_mono_ms();
    while (worker->timers.root && worker->timers.root->due_mono_ms <= now) {
        struct timer *timer = worker->timers.root;
        timers_remove(&worker->timers, timer);
        timer->run(timer->arg);
    }
}

/* Sets libuv's timer if it would come too late; if it comes too early nothing is due and it is set again. */
static void set_clock(struct worker *worker)
{
    struct timer *first = worker->timers.root;
    if (!first || (worker->clock_due && worker->clock_due <= first->due_mono_ms))
        return;
    int64_t now = (int64_t)uv_now(&worker->loop), due = first->due_mono_ms;
    worker->clock_due = due ? due : 1;
    uv_timer_start(&worker->clock, run_due, due > now ? (uint64_t)(due - now) : 0, 0);
}

/* ---- the loop ---- */

static void do_nothing(uv_idle_t *idle)
{
}

/* An idle handle keeps the loop from waiting while fibers are ready. */
static void run_ready(struct worker *worker)
{
    bool more = scheduler_run(&worker->scheduler);
    if (more)
        uv_idle_start(&worker->idle, do_nothing);
    else
        uv_idle_stop(&worker->idle);
    set_clock(worker);
}

static void before_wait(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    run_ready(worker);
    log_flush();
    worker->turn++;
}

static void after_wait(uv_check_t *check)
{
    run_ready(check->data);
}

static void bell_rang(uv_async_t *bell)
{
    struct worker *worker = bell->data;
    read_mailbox(worker, NULL);
    if (atomic_load(&stopping))
        uv_stop(&worker->loop);
}

static int worker_init(struct worker *worker, unsigned index)
{
    worker->index = index;
    int code = uv_loop_init(&worker->loop);
    if (code)
        return code;
    code = uv_async_init(&worker->loop, &worker->bell, bell_rang);
    if (code) {
        uv_loop_close(&worker->loop);
        return code;
    }
    uv_timer_init(&worker->loop, &worker->clock);
    uv_prepare_init(&worker->loop, &worker->prepare);
    uv_check_init(&worker->loop, &worker->check);
    uv_idle_init(&worker->loop, &worker->idle);
    uv_handle_t *handles[] = {(uv_handle_t *)&worker->bell, (uv_handle_t *)&worker->clock, (uv_handle_t *)&worker->prepare,
                              (uv_handle_t *)&worker->check, (uv_handle_t *)&worker->idle};
    for (unsigned i = 0; i < sizeof handles / sizeof *handles; i++)
        handles[i]->data = worker;
    uv_prepare_start(&worker->prepare, before_wait);
    uv_check_start(&worker->check, after_wait);
    return 0;
}

/* Closes what worker_init made; false where handles of others are still open. */
static bool worker_fini(struct worker *worker)
{
    if (worker->index == 0)
        signals_close();
    uv_close((uv_handle_t *)&worker->bell, NULL);
    uv_close((uv_handle_t *)&worker->clock, NULL);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->check, NULL);
    uv_close((uv_handle_t *)&worker->idle, NULL);
    uv_run(&worker->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&worker->loop) || worker->scheduler.alive_count)
        return false;
    scheduler_fini(&worker->scheduler);
    return true;
}

/* Fibers that are left are cancelled and get a moment to give back what they hold. */
static void end_fibers(struct worker *worker)
{
    int64_t until = clock_mono_ms() + END_WAIT_MS;
    while (worker->scheduler.alive_count && clock_mono_ms() < until) {
        struct timer nudge = {0};
        scheduler_cancel_all(&worker->scheduler);
        timer_start(&nudge, clock_mono_ms() + 20, (void (*)(void *))(void (*)(void))uv_stop, &worker->loop);
        uv_run(&worker->loop, UV_RUN_ONCE);
        timer_stop(&nudge);
    }
    read_mailbox(worker, &closed);
}

void workers_at_end(void (*run)(void))
{
    unsigned i = 0;
    while (i < ENDINGS_MAX && atomic_load(&endings[i]) && atomic_load(&endings[i]) != run)
        i++;
    assert(i < ENDINGS_MAX);
    atomic_store(&endings[i], run);
}

static void run_loop(struct worker *worker)
{
    log_hold(true);
    while (!atomic_load(&stopping))
        uv_run(&worker->loop, UV_RUN_DEFAULT);
    log_hold(false);
    uv_run(&worker->loop, UV_RUN_NOWAIT);
    end_fibers(worker);
    for (unsigned i = 0; i < ENDINGS_MAX && atomic_load(&endings[i]); i++)
        atomic_load(&endings[i])();
}

static void thread_main(void *arg)
{
    this_worker = arg;
    char name[16] = "worker-";
    name[7] = (char)('0' + this_worker->index / 10);
    name[8] = (char)('0' + this_worker->index % 10);
    pthread_setname_np(pthread_self(), name);
    run_loop(this_worker);
}

/* ---- start and stop ---- */

static const char *request_id(void)
{
    const struct trace *trace = fiber_trace();
    return trace && trace->request_id[0] ? trace->request_id : NULL;
}

static const char *trace_id(void)
{
    static _Thread_local char id[33];
    const struct trace *trace = fiber_trace();
    if (!trace || strlen(trace->traceparent) != TRACEPARENT_SIZE - 1)
        return NULL;
    memcpy(id, trace->traceparent + 3, 32);
    return id;
}

static void stop_others(unsigned started)
{
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < started; i++)
        uv_async_send(&workers[i].bell);
    for (unsigned i = 1; i < started; i++)
        uv_thread_join(&workers[i].thread);
}

static void forget_workers(unsigned made)
{
    static struct worker *left_open; /* a loop with open handles stays where those look for it */
    bool all = true;
    for (unsigned i = 0; i < made; i++)
        all &= worker_fini(&workers[i]);
    this_worker = NULL;
    count = 0;
    if (all)
        free(workers);
    else
        left_open = workers;
    workers = NULL;
    (void)left_open;
}

int workers_start(unsigned wanted, struct err *err)
{
    assert(!workers && wanted >= 1);
    if (wanted > WORKER_MAX)
        wanted = WORKER_MAX;
    workers = memory_get_zeroed(wanted * sizeof *workers);
    if (!workers)
        return err_set(err, -ENOMEM, "out of memory for workers");
    atomic_store(&stopping, false);
    log_set_context(request_id, trace_id);
    for (unsigned i = 0; i < wanted; i++) {
        int code = worker_init(&workers[i], i);
        if (code) {
            forget_workers(i);
            return err_set(err, code, "event loop: %s", uv_strerror(code));
        }
    }
    count = wanted;
    this_worker = &workers[0];
    for (unsigned i = 1; i < wanted; i++) {
        int code = uv_thread_create(&workers[i].thread, thread_main, &workers[i]);
        if (code) {
            stop_others(i);
            forget_workers(wanted);
            return err_set(err, code, "worker thread: %s", uv_strerror(code));
        }
    }
    return 0;
}

void worker_run(void)
{
    assert(this_worker && this_worker->index == 0);
    run_loop(this_worker);
    stop_others(count);
    forget_workers(count);
}

void workers_stop(void)
{
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < count; i++)
        uv_async_send(&workers[i].bell);
}
