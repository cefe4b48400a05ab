/*
 * The server ends the session of a process that stands still, and others get its locks. A fiber asks something often enough to keep it; and
 * a lock counts as owned only while the server's last answer is younger than its patience.
 */
#include "engines/postgres_locks.h"

#include "base/clock.h"
#include "engines/wakeup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCKS_MAX 64
#define TRY_AGAIN_MS 500
#define SESSION_TIMEOUT "SET idle_session_timeout = 5000" /* PostgreSQL 14 */
#define KEEP_EVERY_MS 1000
#define SILENCE_MS 2000
#define ANSWER_MS 3000
#define BELIEF_MS 3500

struct postgres_locks {
    struct postgres_pool *pool;
    int64_t schema;
    char listen[40];
    struct fiber_lock mutex;
    struct postgres_connection *connection;
    int64_t answered_mono_ms; /* when the last question was asked that had its answer */
    bool closing, keeping;
    struct wakeup keep, ended; /* of the fiber that keeps the session */
    struct {
        bool owned;
        int64_t try_mono_ms; /* not before */
    } locks[LOCKS_MAX];
    void (*heard)(void *arg);
    void *arg;
};

/* The locks are gone with their connection. */
static void disconnect(struct postgres_locks *locks)
{
    postgres_disconnect(locks->connection);
    locks->connection = NULL;
    for (unsigned i = 0; i < LOCKS_MAX; i++)
        locks->locks[i].owned = false;
}

int64_t postgres_schema_number(const char *schema)
{
    int32_t hash = 0;
    for (; *schema; schema++)
        hash = (int32_t)((uint32_t)hash * 31 + (unsigned char)*schema);
    return hash;
}

static void on_notice(void *arg)
{
    struct postgres_locks *locks = arg;
    if (locks->heard)
        locks->heard(locks->arg);
}

static int ask(struct postgres_locks *locks)
{
    int64_t began = clock_mono_ms();
    int code = postgres_round_trip_within(locks->connection, ANSWER_MS);
    if (code == 0)
        locks->answered_mono_ms = began;
    return code;
}

static int run(struct postgres_locks *locks, const struct sql_statement *statement)
{
    int code = postgres_queue(locks->connection, fiber_arena(), statement, true);
    return code < 0 ? code : ask(locks);
}

/* Makes sure of the session when the last answer is that old. */
static void make_sure(struct postgres_locks *locks, int64_t age_ms)
{
    int64_t now = clock_mono_ms();
    if (!locks->connection || now - locks->answered_mono_ms < age_ms)
        return;
    if (postgres_ping(locks->connection, SILENCE_MS) < 0)
        disconnect(locks);
    else
        locks->answered_mono_ms = now;
}

static struct sql_argument number(int64_t value)
{
    return (struct sql_argument){.type = 'i', .number = value};
}

static bool be_connected(struct postgres_locks *locks)
{
    if (locks->connection && postgres_is_lost(locks->connection))
        disconnect(locks);
    if (locks->connection)
        return true;
    if (postgres_connect(postgres_pool_address(locks->pool), &locks->connection, NULL) < 0)
        return false;
    postgres_listen(locks->connection, on_notice, locks);
    if (postgres_queue_command(locks->connection, SESSION_TIMEOUT, false) == 0 &&
        postgres_queue_command(locks->connection, locks->listen, false) == 0 && ask(locks) == 0)
        return true;
    disconnect(locks);
    return false;
}

/* Tries the free ones of a range with one statement; one that is held already would only be counted twice. */
static void try_range(struct postgres_locks *locks, int first, unsigned count)
{
    int64_t now = clock_mono_ms();
    int low = -1, high = -1;
    for (int i = first; i < first + (int)count; i++) {
        if (locks->locks[i].owned || now < locks->locks[i].try_mono_ms)
            continue;
        locks->locks[i].try_mono_ms = now + TRY_AGAIN_MS;
        low = low < 0 ? i : low;
        high = i;
    }
    const struct sql_statement statement = {
        .sql = "SELECT number FROM generate_series(?2::integer, ?3::integer) AS number WHERE pg_try_advisory_lock(?1::integer, number)",
        .count = 3,
        .arguments = {number(locks->schema), number(low), number(high)},
    };
    if (low < 0 || run(locks, &statement) < 0)
        return;
    const PGresult *result = postgres_kept(locks->connection, 0);
    for (int row = 0; row < PQntuples(result); row++)
        locks->locks[strtol(PQgetvalue(result, row, 0), NULL, 10)].owned = true;
}

/* What was owned before a wait for an answer may be another's after it. */
static bool is_sure(const struct postgres_locks *locks)
{
    return locks->connection && !postgres_is_lost(locks->connection) && clock_mono_ms() - locks->answered_mono_ms < BELIEF_MS;
}

/*
 * Does something while nobody else uses the connection, on a fiber of its own: where memory is short that one ends, and the connection, which may
 * be in the middle of a question, with it; but the mutex is given back.
 */
static FIBER_FN int take_turn(struct postgres_locks *locks, void (*work)(void *arg), void *arg)
{
    int code = fiber_lock(&locks->mutex);
    if (code < 0)
        return code;
    code = fiber_run_apart("database locks", work, arg);
    if (code < 0)
        disconnect(locks);
    fiber_unlock(&locks->mutex);
    return code;
}

struct owning {
    struct postgres_locks *locks;
    int first;
    unsigned count, owned;
    bool *ret_owned;
};

static FIBER_FN void own(void *arg)
{
    struct owning *owning = arg;
    struct postgres_locks *locks = owning->locks;
    make_sure(locks, BELIEF_MS);
    if (be_connected(locks))
        try_range(locks, owning->first, owning->count);
    for (unsigned i = 0; i < owning->count && is_sure(locks); i++)
        owning->owned += owning->ret_owned[i] = locks->locks[owning->first + (int)i].owned;
}

unsigned postgres_locks_own(struct postgres_locks *locks, int first, unsigned count, bool *ret_owned)
{
    assert(first >= 0 && first + count <= LOCKS_MAX);
    struct owning owning = {locks, first, count, 0, ret_owned};
    memset(ret_owned, 0, count * sizeof *ret_owned);
    return take_turn(locks, own, &owning) < 0 ? 0 : owning.owned;
}

static FIBER_FN void signal_others(void *arg)
{
    struct postgres_locks *locks = arg;
    const struct sql_statement statement = {
        .sql = "SELECT pg_notify('purser_' || ?1::text, '')", .count = 1, .arguments = {number(locks->schema)}};
    if (be_connected(locks))
        run(locks, &statement);
}

void postgres_locks_signal(struct postgres_locks *locks)
{
    take_turn(locks, signal_others, locks);
}

void postgres_locks_on_signal(struct postgres_locks *locks, void (*heard)(void *arg), void *arg)
{
    locks->heard = heard;
    locks->arg = arg;
}

/* ---- life ---- */

static FIBER_FN void keep(void *arg)
{
    make_sure(arg, KEEP_EVERY_MS);
}

static void keep_main(void *arg)
{
    struct postgres_locks *locks = arg;
    while (!locks->closing) {
        take_turn(locks, keep, locks);
        wakeup_wait(&locks->keep, clock_mono_ms() + KEEP_EVERY_MS);
    }
    locks->keeping = false;
    wakeup_ring(&locks->ended);
}

struct postgres_locks *postgres_locks_new(struct postgres_pool *pool, const char *schema)
{
    struct postgres_locks *locks = calloc(1, sizeof *locks);
    if (!locks)
        return NULL;
    *locks = (struct postgres_locks){.pool = pool, .schema = postgres_schema_number(schema), .keeping = true};
    /* Channels belong to the whole database. */
    snprintf(locks->listen, sizeof locks->listen, "LISTEN \"purser_%lld\"", (long long)locks->schema);
    if (fiber_start("database locks", keep_main, locks) == 0)
        return locks;
    free(locks);
    return NULL;
}

void postgres_locks_free(struct postgres_locks *locks)
{
    if (!locks)
        return;
    locks->closing = true;
    wakeup_ring(&locks->keep);
    while (locks->keeping)
        wakeup_wait_uninterrupted(&locks->ended);
    disconnect(locks);
    free(locks);
}
