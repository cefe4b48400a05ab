/*
 * A pool of connections for each worker. Where none is idle and no more may be made, fibers wait in line. An engine that did not
 * answer is left alone for a moment, during which everybody is told at once that it is away.
 *
 * A fiber watches the engine on a connection of its own, so that readiness does not depend on traffic: a question that stays without an
 * answer breaks all connections off, whoever waits on them, and there are no others until the engine answers again.
 */
#include "engines/postgres_pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "engines/wakeup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CONNECTIONS_MAX 5 /* of a worker */
#define WAITING_MAX 1000
#define AWAY_MS 250
#define LOOK_EVERY_MS 500
#define SILENCE_MS 2000

struct waiter {
    struct wakeup wakeup;
    struct postgres_connection *connection; /* handed over; NULL: try again */
    struct waiter *next;
};

/* Touched by its worker alone. */
struct share {
    struct postgres_pool *pool;
    struct postgres_connection *idle[CONNECTIONS_MAX], *busy[CONNECTIONS_MAX];
    unsigned idle_count, busy_count, open_count, waiting; /* open: also those that connect */
    struct waiter *first, **last;
    int64_t away_until;
};

struct postgres_pool {
    struct postgres_address address;
    struct share shares[WORKER_MAX];
    struct postgres_connection *watched; /* the watching fiber's own */
    _Atomic bool up, silent, closing;
    struct wakeup look, ended;
    bool looking;
    _Atomic unsigned unclosed;
};

static struct share *share_of(struct postgres_pool *pool)
{
    return &pool->shares[worker_index(worker_self())];
}

static void note_up(struct postgres_pool *pool, bool up, const char *why)
{
    if (atomic_exchange(&pool->up, up) == up)
        return;
    if (up)
        log_info("the database answers", "{s:s}", "schema", pool->address.schema);
    else
        log_warn("the database is away", "{s:s, s:s}", "schema", pool->address.schema, "error", why);
    if (!up)
        wakeup_ring(&pool->look);
}

/* Lets the first in line try for itself, or gives it the connection. */
static bool pass_on(struct share *share, struct postgres_connection *connection)
{
    struct waiter *waiter = share->first;
    if (!waiter)
        return false;
    share->first = waiter->next;
    if (!share->first)
        share->last = &share->first;
    share->waiting--;
    waiter->connection = connection;
    wakeup_ring(&waiter->wakeup);
    return true;
}

static void drop_lost(void *arg)
{
    struct share *share = arg;
    unsigned kept = 0;
    for (unsigned i = 0; i < share->idle_count; i++) {
        if (postgres_is_lost(share->idle[i])) {
            postgres_disconnect(share->idle[i]);
            share->open_count--;
        } else {
            share->idle[kept++] = share->idle[i];
        }
    }
    share->idle_count = kept;
    note_up(share->pool, false, "a connection was closed");
}

static int connect_one(struct share *share, struct postgres_connection **ret_connection)
{
    struct err err = {0};
    share->open_count++;
    int code = postgres_connect(&share->pool->address, ret_connection, &err);
    if (code == 0) {
        postgres_watch(*ret_connection, drop_lost, share);
        share->busy[share->busy_count++] = *ret_connection;
        if (!atomic_load(&share->pool->silent))
            note_up(share->pool, true, "");
        return 0;
    }
    share->open_count--;
    share->away_until = clock_mono_ms() + AWAY_MS;
    note_up(share->pool, false, err.message);
    while (pass_on(share, NULL))
        ;
    return -EAGAIN;
}

static void leave_line(struct share *share, struct waiter *waiter)
{
    struct waiter **place = &share->first;
    while (*place && *place != waiter)
        place = &(*place)->next;
    if (!*place)
        return;
    *place = waiter->next;
    if (share->last == &waiter->next)
        share->last = place;
    share->waiting--;
}

static int wait_in_line(struct share *share, struct postgres_connection **ret_connection)
{
    struct waiter waiter = {0};
    if (share->waiting >= WAITING_MAX)
        return -EAGAIN;
    *share->last = &waiter;
    share->last = &waiter.next;
    share->waiting++;
    int code = wakeup_wait(&waiter.wakeup, 0);
    if (code < 0)
        leave_line(share, &waiter);
    *ret_connection = waiter.connection;
    return code;
}

int postgres_pool_take(struct postgres_pool *pool, struct postgres_connection **ret_connection)
{
    struct share *share = share_of(pool);
    *ret_connection = NULL;
    while (!*ret_connection) {
        int code = 0;
        if (atomic_load(&pool->silent))
            return -EAGAIN;
        if (share->idle_count) {
            *ret_connection = share->idle[--share->idle_count];
            share->busy[share->busy_count++] = *ret_connection;
            return 0;
        }
        if (clock_mono_ms() < share->away_until || atomic_load(&pool->closing))
            return -EAGAIN;
        if (share->open_count < CONNECTIONS_MAX)
            return connect_one(share, ret_connection);
        code = wait_in_line(share, ret_connection);
        if (code < 0)
            return code;
    }
    return 0;
}

static void leave_busy(struct share *share, const struct postgres_connection *connection)
{
    unsigned at = 0;
    while (share->busy[at] != connection)
        at++;
    share->busy[at] = share->busy[--share->busy_count];
}

void postgres_pool_give(struct postgres_pool *pool, struct postgres_connection *connection)
{
    struct share *share = share_of(pool);
    if (postgres_is_lost(connection)) {
        leave_busy(share, connection);
        postgres_disconnect(connection);
        share->open_count--;
        pass_on(share, NULL);
    } else if (!pass_on(share, connection)) {
        leave_busy(share, connection);
        share->idle[share->idle_count++] = connection;
    }
}

bool postgres_pool_is_up(const struct postgres_pool *pool)
{
    return atomic_load(&pool->up);
}

const struct postgres_address *postgres_pool_address(const struct postgres_pool *pool)
{
    return &pool->address;
}

/* ---- watching the engine ---- */

static void close_idle(struct share *share)
{
    while (share->idle_count) {
        postgres_disconnect(share->idle[--share->idle_count]);
        share->open_count--;
    }
}

/* On the share's worker. Those who waited are told that the engine is away. */
static void break_share(void *arg)
{
    struct share *share = share_of(arg);
    for (unsigned i = 0; i < share->busy_count; i++)
        postgres_break(share->busy[i]);
    close_idle(share);
    while (pass_on(share, NULL))
        ;
}

static void break_all(struct postgres_pool *pool)
{
    for (unsigned i = 0; i < worker_count(); i++)
        if (worker_at(i) == worker_self())
            break_share(pool);
        else
            worker_post(worker_at(i), break_share, pool);
}

/* 0, or negative: then there is no connection. */
static int ask(struct postgres_pool *pool)
{
    if (!pool->watched && postgres_connect(&pool->address, &pool->watched, NULL) < 0)
        return -EAGAIN;
    int code = postgres_ping(pool->watched, SILENCE_MS);
    if (code < 0) {
        postgres_disconnect(pool->watched);
        pool->watched = NULL;
    }
    return code;
}

static void look_once(void *arg)
{
    struct postgres_pool *pool = arg;
    bool had_one = pool->watched != NULL;
    int code = ask(pool);
    if (code == -EAGAIN && !had_one)
        return;
    if (code == -EAGAIN)
        code = ask(pool); /* a connection that was closed says little of the engine, and others wait for our word */
    if (code == 0) {
        atomic_store(&pool->silent, false);
        note_up(pool, true, "");
        return;
    }
    bool silent = code == -ETIMEDOUT && !atomic_exchange(&pool->silent, true);
    note_up(pool, false, silent ? "it has fallen silent" : "a connection was closed");
    if (silent)
        break_all(pool);
}

static void look_main(void *arg)
{
    struct postgres_pool *pool = arg;
    while (!atomic_load(&pool->closing)) {
        fiber_run_apart("database watched", look_once, pool);
        wakeup_wait(&pool->look, clock_mono_ms() + LOOK_EVERY_MS);
    }
    postgres_disconnect(pool->watched);
    pool->looking = false;
    wakeup_ring(&pool->ended);
}

/* ---- the whole ---- */

struct postgres_pool *postgres_pool_new(struct postgres_address *address)
{
    struct postgres_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->address = *address;
    for (unsigned i = 0; i < WORKER_MAX; i++) {
        pool->shares[i].pool = pool;
        pool->shares[i].last = &pool->shares[i].first;
    }
    pool->looking = true;
    if (fiber_start("database watched", look_main, pool) < 0) {
        free(pool);
        return NULL;
    }
    return pool;
}

static void close_share(void *arg)
{
    struct postgres_pool *pool = arg;
    struct share *share = share_of(pool);
    close_idle(share);
    if (atomic_fetch_sub(&pool->unclosed, 1) == 1)
        wakeup_ring(&pool->ended);
}

void postgres_pool_free(struct postgres_pool *pool)
{
    atomic_store(&pool->closing, true);
    wakeup_ring(&pool->look);
    while (pool->looking)
        wakeup_wait_uninterrupted(&pool->ended);
    atomic_store(&pool->unclosed, worker_count());
    for (unsigned i = 0; i < worker_count(); i++)
        if (worker_at(i) == worker_self() || worker_post(worker_at(i), close_share, pool) < 0)
            close_share(pool);
    while (atomic_load(&pool->unclosed))
        wakeup_wait_uninterrupted(&pool->ended);
    postgres_address_fini(&pool->address);
    free(pool);
}
