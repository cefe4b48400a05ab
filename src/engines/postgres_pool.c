/*
 * A pool of connections for each worker. Where none is idle and no more may be made, fibers wait in line. An engine that did not
 * answer is left alone for a moment, during which everybody is told at once that it is away; a fiber looks for its return,
 * so that readiness does not depend on traffic.
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

struct waiter {
    struct wakeup wakeup;
    struct postgres_connection *connection; /* handed over; NULL: try again */
    struct waiter *next;
};

/* Touched by its worker alone. */
struct share {
    struct postgres_pool *pool;
    struct postgres_connection *idle[CONNECTIONS_MAX];
    unsigned idle_count, open_count, waiting;
    struct waiter *first, **last;
    int64_t away_until;
};

struct postgres_pool {
    struct postgres_address address;
    struct share shares[WORKER_MAX];
    _Atomic bool up, closing;
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
        if (share->idle_count) {
            *ret_connection = share->idle[--share->idle_count];
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

void postgres_pool_give(struct postgres_pool *pool, struct postgres_connection *connection)
{
    struct share *share = share_of(pool);
    if (postgres_is_lost(connection)) {
        postgres_disconnect(connection);
        share->open_count--;
        pass_on(share, NULL);
    } else if (!pass_on(share, connection)) {
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

/* ---- looking for an engine that is away ---- */

static void look_once(void *arg)
{
    struct postgres_pool *pool = arg;
    struct postgres_connection *connection;
    if (postgres_pool_take(pool, &connection) < 0)
        return;
    if (postgres_queue_command(connection, "SELECT 1", false) == 0 && postgres_round_trip(connection) == 0)
        note_up(pool, true, "");
    postgres_pool_give(pool, connection);
}

static void look_main(void *arg)
{
    struct postgres_pool *pool = arg;
    while (!atomic_load(&pool->closing)) {
        bool up = atomic_load(&pool->up);
        if (!up)
            fiber_run_apart("database looked for", look_once, pool);
        wakeup_wait(&pool->look, up ? 0 : clock_mono_ms() + LOOK_EVERY_MS);
    }
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
    if (fiber_start("database looked for", look_main, pool) < 0) {
        free(pool);
        return NULL;
    }
    return pool;
}

static void close_share(void *arg)
{
    struct postgres_pool *pool = arg;
    struct share *share = share_of(pool);
    while (share->idle_count)
        postgres_disconnect(share->idle[--share->idle_count]);
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
