/*
 * The database port on PostgreSQL. A service has a schema of its own and the role <user>_<schema>. A body runs on the calling fiber; its
 * statements share round trips: BEGIN goes with the first, what was sent goes with the next, COMMIT with the last of them.
 *
 * A body is run again after a serialisation failure or a deadlock, when the connection was lost before COMMIT was sent, and with savepoints
 * when it has met a violated constraint (postgres_run.c). After a COMMIT whose answer never came, the transaction's id tells what became of
 * it (not after a crash of the server: then -EIO, and who asks again by key or event id learns it).
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "engines/postgres_locks.h"
#include "engines/postgres_pool.h"
#include "engines/postgres_run.h"
#include "runtime/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RUNS_MAX 20
#define LOST_MAX 2
#define OUTCOME_WAIT_MS 15000

struct postgres_database {
    struct database base; /* first */
    struct postgres_pool *pool;
    struct postgres_locks *locks;
};

static struct postgres_database *postgres_of(struct database *database)
{
    return (struct postgres_database *)database;
}

/* ---- the outcome of a commit without an answer ---- */

/* What the server says of a transaction: "committed", "aborted", "in progress", or "" while nobody answers. An id that it has not given
 * yet belongs to a transaction that a crash has undone. */
static void ask_status(struct postgres_database *postgres, struct arena *arena, const struct postgres_run *run, char ret_status[24], bool *ret_crashed)
{
    struct sql_statement statement = {.sql = "SELECT pg_xact_status(?1::xid8)", .count = 1};
    struct postgres_connection *connection;
    statement.arguments[0] = (struct sql_argument){.type = 't', .text = text_of(run->xid)};
    ret_status[0] = 0;
    if (postgres_pool_take(postgres->pool, &connection) < 0)
        return;
    int code = postgres_queue(connection, arena, &statement, true);
    if (code == 0)
        code = postgres_round_trip(connection);
    if (code == 0)
        snprintf(ret_status, 24, "%s", PQgetvalue(postgres_kept(connection, 0), 0, 0));
    else if (!strcmp(postgres_state(connection), "22023"))
        snprintf(ret_status, 24, "aborted");
    *ret_crashed = strcmp(run->incarnation, postgres_incarnation(connection)) != 0;
    postgres_pool_give(postgres->pool, connection);
}

/* After a COMMIT without an answer: 0 it was done, -EAGAIN it was not, -EIO nobody can say: after a crash the id of a transaction that was
 * not durable may be another's, which has committed since. */
static int learn_outcome(struct postgres_database *postgres, struct arena *arena, const struct postgres_run *run)
{
    int64_t until = clock_mono_ms() + OUTCOME_WAIT_MS;
    log_warn("a commit's answer was lost; its outcome is looked up", "{s:s, s:s}", "schema", postgres->base.schema, "transaction", run->xid);
    while (clock_mono_ms() < until) {
        char status[24];
        bool crashed = false;
        ask_status(postgres, arena, run, status, &crashed);
        if (!strcmp(status, "committed"))
            return crashed ? -EIO : 0;
        if (!strcmp(status, "aborted"))
            return -EAGAIN;
        if (fiber_sleep(200) < 0)
            break;
    }
    return -EIO;
}

/* ---- the runs of a body ---- */

static int run_once(struct postgres_database *postgres, struct transaction *tx, struct postgres_run *run, transaction_body *body, void *arg)
{
    int code = postgres_pool_take(postgres->pool, &run->connection);
    if (code < 0) {
        run->connection = NULL;
        return code;
    }
    tx->adapter = run;
    snprintf(run->incarnation, sizeof run->incarnation, "%s", postgres_incarnation(run->connection));
    code = postgres_run_end(run, transaction_run_body(tx, body, arg));
    bool lost = postgres_is_lost(run->connection);
    postgres_pool_give(postgres->pool, run->connection);
    if (lost && run->committing && run->xid[0])
        return learn_outcome(postgres, tx->arena, run);
    if (lost && code < 0)
        code = -ENOTCONN; /* before COMMIT: nothing happened */
    return code;
}

static int postgres_transact(struct database *database, struct transaction *tx, transaction_body *body, void *arg)
{
    struct postgres_database *postgres = postgres_of(database);
    bool careful = false;
    unsigned lost = 0;
    int code = -EAGAIN;
    for (unsigned i = 0; i < RUNS_MAX; i++) {
        struct postgres_run run = {.begin = "BEGIN", .careful = careful};
        code = run_once(postgres, tx, &run, body, arg);
        if (run.violated && !careful)
            careful = true;
        else if (code == -ENOTCONN && ++lost > LOST_MAX)
            return -EAGAIN;
        else if (run.code == -EDEADLK || code == -EDEADLK)
            fiber_sleep((int64_t)(clock_mono_us() % 7 + 1) * (i + 1));
        else if (code != -ENOTCONN)
            return code;
    }
    return code == -ENOTCONN || code == -EDEADLK ? -EAGAIN : code;
}

static int postgres_read(struct database *database, struct transaction *tx, transaction_body *body, void *arg)
{
    struct postgres_database *postgres = postgres_of(database);
    int code = -ENOTCONN;
    for (unsigned i = 0; i <= LOST_MAX && code == -ENOTCONN; i++) {
        struct postgres_run run = {.begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
        code = run_once(postgres, tx, &run, body, arg);
    }
    return code == -ENOTCONN ? -EAGAIN : code;
}

/* Without a BEGIN. A read, or a write that may be done twice: where the answer was lost it is asked again. */
static int postgres_one(struct database *database, struct transaction *tx, transaction_body *body, void *arg)
{
    struct postgres_database *postgres = postgres_of(database);
    int code = -ENOTCONN;
    unsigned lost = 0;
    for (unsigned i = 0; i < RUNS_MAX && (code == -ENOTCONN || code == -EDEADLK); i++) {
        struct postgres_run run = {0};
        code = run_once(postgres, tx, &run, body, arg);
        if (code == -ENOTCONN && ++lost > LOST_MAX)
            break;
    }
    return code == -ENOTCONN || code == -EDEADLK ? -EAGAIN : code;
}

/* ---- among processes ---- */

static unsigned postgres_own(struct database *database, int first, unsigned count, bool *ret_owned)
{
    return postgres_locks_own(postgres_of(database)->locks, first, count, ret_owned);
}

static void postgres_signal(struct database *database)
{
    postgres_locks_signal(postgres_of(database)->locks);
}

static void postgres_on_signal(struct database *database, void (*heard)(void *arg), void *arg)
{
    postgres_locks_on_signal(postgres_of(database)->locks, heard, arg);
}

/* ---- the whole ---- */

static void postgres_close(struct database *database)
{
    struct postgres_database *postgres = postgres_of(database);
    postgres_locks_free(postgres->locks);
    postgres_pool_free(postgres->pool);
    free((char *)postgres->base.schema);
    free(postgres);
}

static int postgres_open(const char *schema, struct database **ret_database, struct err *err)
{
    struct postgres_address address;
    int code = postgres_address_of(settings_text("database_url"), schema, &address, err);
    if (code < 0)
        return code;
    struct postgres_database *postgres = calloc(1, sizeof *postgres);
    if (postgres)
        postgres->base = (struct database){&postgres_database_ops, strdup(schema)};
    if (postgres && postgres->base.schema)
        postgres->pool = postgres_pool_new(&address);
    if (postgres && postgres->pool)
        postgres->locks = postgres_locks_new(postgres->pool, schema);
    if (!postgres || !postgres->locks) {
        if (postgres && postgres->pool)
            postgres_pool_free(postgres->pool);
        else
            postgres_address_fini(&address);
        free(postgres ? (char *)postgres->base.schema : NULL);
        free(postgres);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_database = &postgres->base;
    return 0;
}

static bool postgres_is_up(const struct database *database)
{
    return postgres_pool_is_up(((const struct postgres_database *)database)->pool);
}

static int postgres_migration_lock(struct transaction *tx)
{
    struct sql_statement statement = {.sql = "SELECT pg_advisory_xact_lock(?1)", .count = 1};
    struct rows rows;
    statement.arguments[0] = (struct sql_argument){.type = 'i', .number = postgres_schema_number(tx->database->schema) + (INT64_C(1) << 40)};
    return postgres_execute(tx, &rows, &statement);
}

const struct database_ops postgres_database_ops = {
    .scheme = "postgres",
    .open = postgres_open,
    .close = postgres_close,
    .is_up = postgres_is_up,
    .transact = postgres_transact,
    .read = postgres_read,
    .scan = postgres_read,
    .read_one = postgres_one,
    .write_one = postgres_one,
    .own = postgres_own,
    .signal = postgres_signal,
    .on_signal = postgres_on_signal,
    .execute = postgres_execute,
    .send = postgres_send,
    .ask = postgres_ask,
    .settle = postgres_settle,
    .script = postgres_run_script,
    .migration_lock = postgres_migration_lock,
};
