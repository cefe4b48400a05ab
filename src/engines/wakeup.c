/* Rings and waits (see the header). The state moves QUIET → WAITING → RUNG → QUIET; whoever rings a WAITING one owes its fiber one wake. */
#include "engines/wakeup.h"

#include <errno.h>
#include <stdatomic.h>

enum { QUIET, WAITING, RUNG };

void wakeup_ring(struct wakeup *wakeup)
{
    if (atomic_load(&wakeup->state) == RUNG)
        return;
    if (atomic_exchange(&wakeup->state, RUNG) != WAITING)
        return;
    struct fiber *fiber = wakeup->fiber;
    struct worker *worker = wakeup->worker;
    if (worker == worker_self())
        fiber_wake(fiber);
    else
        fiber_wake_from_thread(fiber);
}

static bool begin_wait(struct wakeup *wakeup)
{
    int quiet = QUIET;
    wakeup->fiber = fiber_self();
    wakeup->worker = worker_self();
    if (atomic_compare_exchange_strong(&wakeup->state, &quiet, WAITING))
        return true;
    atomic_store(&wakeup->state, QUIET);
    return false;
}

int wakeup_wait(struct wakeup *wakeup, int64_t until_mono_ms)
{
    if (!begin_wait(wakeup))
        return 0;
    int64_t former = fiber_deadline();
    if (until_mono_ms && (!former || until_mono_ms < former))
        fiber_set_deadline(until_mono_ms);
    int code = fiber_wait();
    fiber_set_deadline(former);
    int waiting = WAITING;
    if (code < 0 && atomic_compare_exchange_strong(&wakeup->state, &waiting, QUIET))
        return code;
    if (code < 0)
        fiber_wait_uninterrupted();
    atomic_store(&wakeup->state, QUIET);
    return 0;
}

void wakeup_wait_uninterrupted(struct wakeup *wakeup)
{
    if (!begin_wait(wakeup))
        return;
    fiber_wait_uninterrupted();
    atomic_store(&wakeup->state, QUIET);
}

struct apart {
    void (*run)(void *arg);
    void *arg;
    int code;
    struct wakeup ended;
};

static void apart_main(void *arg)
{
    struct apart *apart = arg;
    apart->run(apart->arg);
    apart->code = 0;
    wakeup_ring(&apart->ended);
}

static void apart_abandoned(void *arg)
{
    wakeup_ring(&((struct apart *)arg)->ended);
}

int fiber_run_apart(const char *name, void (*run)(void *arg), void *arg)
{
    struct apart apart = {.run = run, .arg = arg, .code = -ENOMEM};
    struct fiber *fiber;
    struct fiber_options options = {.name = name, .run = apart_main, .arg = &apart, .abandoned = apart_abandoned};
    int code = fiber_start_with(&options, &fiber);
    if (code < 0)
        return code;
    wakeup_wait_uninterrupted(&apart.ended);
    return apart.code;
}
