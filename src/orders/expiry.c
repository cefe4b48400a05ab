/*
 * Unpaid orders do not hold their stock for ever. A round looks for those that are too old, each ends in a transaction of its own, and
 * a payment that comes after all is given back (rules.c). Several processes may do this at once: the second finds nothing to do.
 *
 * When the clock is set forward, every order looks old at once. So no order ends for the time that one has: those from before have had it then,
 * and those from after are as old as they look. When it is set back, orders live longer by as much.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "engines/wakeup.h"
#include "orders/store.h"
#include "orders/workers.h"

#include <errno.h>
#include <stdlib.h>

#define AT_ONCE 100
#define ROUND_MAX_MS 10000
#define ROUND_MIN_MS 100

struct expiry {
    struct database *database;
    bool stopping, ended;
    struct wakeup wakeup, stopped;
    unsigned found; /* by the last round */
    int64_t clock_offset, resumes_mono_ms; /* after the clock was set forward */
};

struct old_orders {
    int64_t before_wall_ms;
    struct rows ids;
};

static int find_old(struct transaction *tx, void *arg)
{
    struct old_orders *old = arg;
    return orders_store_orders_unpaid(tx, old->before_wall_ms, AT_ONCE, &old->ids);
}

static bool ages_are_doubtful(struct expiry *expiry)
{
    if (clock_set_by_ms(&expiry->clock_offset) > 0)
        expiry->resumes_mono_ms = clock_mono_ms() + settings_duration_ms("order_expiry");
    return clock_mono_ms() < expiry->resumes_mono_ms;
}

static FIBER_FN void round_of(void *arg)
{
    struct expiry *expiry = arg;
    expiry->found = 0;
    if (ages_are_doubtful(expiry))
        return;
    struct old_orders old = {.before_wall_ms = clock_wall_ms() - settings_duration_ms("order_expiry")};
    int code = database_read_one(expiry->database, find_old, &old);
    for (unsigned i = 0; code == 0 && i < old.ids.count && !expiry->stopping; i++)
        code = database_transact(expiry->database, expire_order, (void *)rows_text(&old.ids, i, 0));
    if (code < 0)
        log_warn("unpaid orders could not be ended", "{s:i}", "code", code);
    else
        expiry->found = old.ids.count;
}

static int64_t pause_ms(void)
{
    int64_t tenth = settings_duration_ms("order_expiry") / 10;
    return tenth < ROUND_MIN_MS ? ROUND_MIN_MS : tenth > ROUND_MAX_MS ? ROUND_MAX_MS : tenth;
}

static FIBER_FN void run(void *arg)
{
    struct expiry *expiry = arg;
    while (!expiry->stopping) {
        fiber_run_apart("orders.expiry round", round_of, expiry);
        if (expiry->found < AT_ONCE)
            wakeup_wait(&expiry->wakeup, clock_mono_ms() + pause_ms());
    }
    expiry->ended = true;
    wakeup_ring(&expiry->stopped);
}

int expiry_start(struct database *database, struct expiry **ret_expiry)
{
    struct expiry *expiry = calloc(1, sizeof *expiry);
    if (!expiry)
        return -ENOMEM;
    expiry->database = database;
    int code = fiber_start("orders.expiry", run, expiry);
    if (code < 0)
        free(expiry);
    else
        *ret_expiry = expiry;
    return code;
}

FIBER_FN void expiry_stop(struct expiry *expiry)
{
    expiry->stopping = true;
    wakeup_ring(&expiry->wakeup);
    while (!expiry->ended)
        wakeup_wait_uninterrupted(&expiry->stopped);
    free(expiry);
}
