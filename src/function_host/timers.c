/* Timers of one call: a small table, searched for the one that is due first. They fire only while a call waits for its
 * promise, and those that are left when it settles are dropped. */
#include "function_host/timers.h"

#include <math.h>
#include <time.h>

#define TIMERS_MAX 1024
#define DELAY_MS_MAX 2147483647.0

struct timer {
    uint32_t id; /* 0: free */
    uint64_t due_ns;
    uint64_t interval_ns; /* 0: fires once */
    uint64_t order;       /* breaks ties: first set, first run */
    JSObjectRef callback;
};

static struct timer timers[TIMERS_MAX];
static size_t used; /* no timer lies at or beyond this index */
static uint32_t last_id;
static uint64_t last_order;

uint64_t timers_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct timer *free_timer(void)
{
    for (size_t i = 0; i < used; i++)
        if (!timers[i].id)
            return &timers[i];
    return used < TIMERS_MAX ? &timers[used++] : NULL;
}

uint32_t timers_add(JSContextRef context, JSObjectRef callback, double delay_ms, bool repeats)
{
    struct timer *timer = free_timer();
    if (!timer)
        return 0;
    if (isnan(delay_ms) || delay_ms < 1)
        delay_ms = repeats ? 1 : 0;
    if (delay_ms > DELAY_MS_MAX)
        delay_ms = DELAY_MS_MAX;
    uint64_t delay_ns = (uint64_t)(delay_ms * 1e6);
    if (++last_id == 0)
        last_id = 1;
    *timer = (struct timer){
        .id = last_id,
        .due_ns = timers_now_ns() + delay_ns,
        .interval_ns = repeats ? delay_ns : 0,
        .order = ++last_order,
        .callback = callback,
    };
    JSValueProtect(context, callback);
    return timer->id;
}

static void drop(JSContextRef context, struct timer *timer)
{
    JSValueUnprotect(context, timer->callback);
    timer->id = 0;
}

void timers_clear(JSContextRef context, uint32_t id)
{
    for (size_t i = 0; id && i < used; i++) {
        if (timers[i].id == id) {
            drop(context, &timers[i]);
            return;
        }
    }
}

void timers_clear_all(JSContextRef context)
{
    for (size_t i = 0; i < used; i++)
        if (timers[i].id)
            drop(context, &timers[i]);
    used = 0;
}

static struct timer *first_due(void)
{
    struct timer *first = NULL;
    for (size_t i = 0; i < used; i++) {
        struct timer *timer = &timers[i];
        if (!timer->id)
            continue;
        if (!first || timer->due_ns < first->due_ns ||
            (timer->due_ns == first->due_ns && timer->order < first->order))
            first = timer;
    }
    return first;
}

static void sleep_until(uint64_t due_ns)
{
    struct timespec due = { .tv_sec = (time_t)(due_ns / 1000000000u), .tv_nsec = (long)(due_ns % 1000000000u) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL))
        ;
}

bool timers_run_next(JSContextRef context, JSValueRef *ret_exception)
{
    struct timer *timer = first_due();
    *ret_exception = NULL;
    if (!timer)
        return false;
    if (timer->due_ns > timers_now_ns())
        sleep_until(timer->due_ns);
    JSObjectRef callback = timer->callback;
    JSValueProtect(context, callback);
    if (timer->interval_ns) {
        timer->due_ns = timers_now_ns() + timer->interval_ns;
        timer->order = ++last_order;
    } else {
        drop(context, timer);
    }
    JSObjectCallAsFunction(context, callback, NULL, 0, NULL, ret_exception);
    JSValueUnprotect(context, callback);
    return true;
}
