#include "engines/postgres_locks.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCKS_MAX 64
#define TRY_AGAIN_MS 500

struct postgres_locks {
    struct postgres_pool *pool;
    int64_t schema;
    char listen[40];
    struct fiber_lock mutex;
    struct postgres_connection *connection;
    struct {
        bool owned;
        int64_t try_mono_ms; /* not before */
    } locks[LOCKS_MAX];
    void (*heard)(void *arg);
    void *arg;
};

struct postgres_locks *postgres_locks_new(struct postgres_pool *pool, const char *schema)
{
    struct postgres_locks *locks = calloc(1, sizeof *locks);
    if (!locks)
        return NULL;
    *locks = (struct postgres_locks){.pool = pool, .schema = postgres_schema_number(schema)};
    /* Channels belong to the whole database. */
    snprintf(locks->listen, sizeof locks->listen, "LISTEN \"purser_%lld\"", (long long)locks->schema);
    return locks;
}

/* The locks are gone with their connection. */
static void disconnect(struct postgres_locks *locks)
{
    postgres_disconnect(locks->connection);
    locks->connection = NULL;
    for (unsigned i = 0; i < LOCKS_MAX; i++)
        locks->locks[i].owned = false;
}

void postgres_locks_free(struct postgres_locks *locks)
{
    if (locks)
        disconnect(locks);
    free(locks);
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

static int run(struct postgres_locks *locks, const struct sql_statement *statement)
{
    int code = postgres_queue(locks->connection, fiber_arena(), statement, true);
    return code < 0 ? code : postgres_round_trip(locks->connection);
}

static struct sql_argument number(int64_t value)
{
    return (struct sql_argument){.type = 'i', .number = value};
}

static bool connect(struct postgres_locks *locks)
{
    if (locks->connection && postgres_is_lost(locks->connection))
        disconnect(locks);
    if (locks->connection)
        return true;
    if (postgres_connect(postgres_pool_address(locks->pool), &locks->connection, NULL) < 0)
        return false;
    postgres_listen(locks->connection, on_notice, locks);
    if (postgres_queue_command(locks->connection, locks->listen, false) == 0 && postgres_round_trip(locks->connection) == 0)
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

unsigned postgres_locks_own(struct postgres_locks *locks, int first, unsigned count, bool *ret_owned)
{
    assert(first >= 0 && first + count <= LOCKS_MAX);
    unsigned owned = 0;
    memset(ret_owned, 0, count * sizeof *ret_owned);
    if (fiber_lock(&locks->mutex) < 0)
        return 0;
    if (connect(locks))
        try_range(locks, first, count);
    for (unsigned i = 0; i < count; i++)
        owned += ret_owned[i] = locks->locks[first + (int)i].owned;
    fiber_unlock(&locks->mutex);
    return owned;
}

void postgres_locks_signal(struct postgres_locks *locks)
{
    if (fiber_lock(&locks->mutex) < 0)
        return;
    const struct sql_statement statement = {
        .sql = "SELECT pg_notify('purser_' || ?1::text, '')", .count = 1, .arguments = {number(locks->schema)}};
    if (connect(locks))
        run(locks, &statement);
    fiber_unlock(&locks->mutex);
}

void postgres_locks_on_signal(struct postgres_locks *locks, void (*heard)(void *arg), void *arg)
{
    locks->heard = heard;
    locks->arg = arg;
}
