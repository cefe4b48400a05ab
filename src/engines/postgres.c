/*
 * The database port on PostgreSQL. A service has a schema of its own and the role <user>_<schema>. A body runs on the calling fiber; its
 * statements share round trips: BEGIN goes with the first, what was sent goes with the next, COMMIT with the last of them.
 *
 * A body is run again after a serialisation failure or a deadlock, and when the connection was lost before COMMIT was sent. PostgreSQL
 * aborts the whole transaction at a violated constraint; since most bodies stop there, savepoints are only set in a second run of a
 * body that has met one (the first run ends at once, as where memory is short). After a COMMIT whose answer never came, the transaction's id tells what became of it
 * (not after a crash of the server: then -EIO, and who asks again by key or event id learns it).
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "engines/postgres_locks.h"
#include "engines/postgres_pool.h"
#include "runtime/worker.h"

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
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

/* A query whose answer comes with the next round trip. */
struct asked {
    struct rows *rows;
    struct asked *next;
};

/* One run of a body. */
struct run {
    struct postgres_connection *connection;
    struct asked *asked, **last_asked; /* in order: the first answers of the next round trip are theirs */
    const char *begin;
    bool begun, careful, wrote;
    bool violated; /* a constraint, without a savepoint */
    bool committing;
    int code; /* of what aborted the transaction */
    char xid[24], incarnation[40];
};

static struct postgres_database *postgres_of(struct database *database)
{
    return (struct postgres_database *)database;
}

/* ---- statements ---- */

static bool may_write(const char *sql)
{
    return sql[0] != 'S' && sql[0] != 's';
}

static int queue_begin(struct run *run)
{
    if (run->begun)
        return 0;
    run->begun = true;
    return postgres_queue_command(run->connection, run->begin, false);
}

static int queue_xid(struct run *run)
{
    return postgres_queue_command(run->connection, "SELECT pg_current_xact_id()::text", true);
}

static void take_xid(struct run *run, unsigned at)
{
    PGresult *result = postgres_kept(run->connection, at);
    if (result && PQntuples(result) == 1)
        snprintf(run->xid, sizeof run->xid, "%s", PQgetvalue(result, 0, 0));
}

/* After a failed round trip: whether the transaction is over. */
static int note_failure(struct run *run, const char *sql, int code)
{
    if (code == -EINVAL)
        log_error("a statement failed", "{s:s, s:s}", "sql", sql, "error", postgres_message(run->connection));
    if (run->careful && code == -EEXIST && !run->committing)
        return postgres_queue_command(run->connection, "ROLLBACK TO SAVEPOINT statement", false) < 0 ? (run->code = -EAGAIN) : code;
    run->violated = code == -EEXIST;
    run->code = code;
    if (run->violated && !run->careful && !run->committing)
        _longjmp(*memory_rescue, 1); /* to the body's start: it must not see what a second run will not show */
    return code;
}

static struct text cell_of(struct arena *arena, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return (struct text){NULL, 0};
    struct text value = {PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
    if (PQftype(result, column) != 17 || value.size < 2) /* bytea comes as \x and hexadecimal digits */
        return value;
    size_t size = (value.size - 2) / 2;
    char *bytes = arena_alloc(arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        unsigned high = (unsigned char)value.at[2 + 2 * i], low = (unsigned char)value.at[3 + 2 * i];
        high = high <= '9' ? high - '0' : high - 'a' + 10;
        low = low <= '9' ? low - '0' : low - 'a' + 10;
        bytes[i] = (char)(high << 4 | low);
    }
    return (struct text){bytes, size};
}

static void clear_result(void *result)
{
    PQclear(result);
}

/* The cells are the result's own bytes, which go with the arena. */
static void take_rows(struct transaction *tx, struct run *run, unsigned at, struct rows *ret_rows)
{
    PGresult *result = postgres_take(run->connection, at);
    arena_defer(tx->arena, clear_result, result);
    int count = PQntuples(result), columns = PQnfields(result);
    *ret_rows = (struct rows){.count = (unsigned)count, .columns = (unsigned)columns};
    ret_rows->cells = arena_alloc(tx->arena, sizeof(struct text) * (size_t)(count * columns + 1));
    for (int row = 0; row < count; row++)
        for (int column = 0; column < columns; column++)
            ret_rows->cells[row * columns + column] = cell_of(tx->arena, result, row, column);
}

/* Gives what was asked its rows. Returns how many answers that were. */
static unsigned take_asked(struct transaction *tx, struct run *run)
{
    unsigned count = 0;
    for (struct asked *asked = run->asked; asked; asked = asked->next)
        take_rows(tx, run, count++, asked->rows);
    run->asked = NULL;
    return count;
}

static int affected(struct run *run, unsigned at)
{
    int64_t count = 0;
    PGresult *result = postgres_kept(run->connection, at);
    if (result)
        text_to_int64(text_of(PQcmdTuples(result)), &count);
    return (int)count;
}

static int postgres_execute(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement)
{
    struct run *run = tx->adapter;
    if (run->code)
        return run->code;
    bool ask_xid = (run->wrote || may_write(statement->sql)) && !run->xid[0];
    int code = queue_begin(run);
    if (code == 0 && run->careful)
        code = postgres_queue_command(run->connection, "SAVEPOINT statement", false);
    if (code == 0)
        code = postgres_queue(run->connection, tx->arena, statement, true);
    if (code == 0 && ask_xid)
        code = queue_xid(run);
    if (code == 0)
        code = postgres_round_trip(run->connection);
    if (code < 0)
        return note_failure(run, statement->sql, code);
    run->wrote |= may_write(statement->sql);
    unsigned own = take_asked(tx, run);
    if (ask_xid)
        take_xid(run, own + 1);
    if (run->careful)
        postgres_queue_command(run->connection, "RELEASE SAVEPOINT statement", false);
    if (ret_rows)
        take_rows(tx, run, own, ret_rows);
    return ret_rows ? 0 : affected(run, own);
}

static void expect_rows(struct transaction *tx, struct run *run, struct rows *ret_rows)
{
    struct asked *asked = arena_alloc(tx->arena, sizeof *asked);
    *asked = (struct asked){.rows = ret_rows};
    *(run->asked ? run->last_asked : &run->asked) = asked;
    run->last_asked = &asked->next;
}

/* A careful run has a savepoint for each statement, and so waits for each. */
static void postgres_ask(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement)
{
    struct run *run = tx->adapter;
    int code = run->code;
    if (!code && run->careful) {
        code = postgres_execute(tx, ret_rows, statement);
        tx->failed = code < 0 ? code : 0;
        return;
    }
    if (!code)
        code = queue_begin(run);
    if (!code)
        code = postgres_queue(run->connection, tx->arena, statement, ret_rows != NULL);
    if (!code && ret_rows)
        expect_rows(tx, run, ret_rows);
    if (code < 0)
        tx->failed = run->code = code;
    run->wrote |= may_write(statement->sql);
}

static void postgres_send(struct transaction *tx, const struct sql_statement *statement)
{
    postgres_ask(tx, NULL, statement);
}

static int postgres_settle(struct transaction *tx)
{
    struct run *run = tx->adapter;
    if (run->code || !run->asked)
        return run->code;
    bool ask_xid = run->wrote && !run->xid[0];
    int code = ask_xid ? queue_xid(run) : 0;
    if (code == 0)
        code = postgres_round_trip(run->connection);
    if (code < 0)
        return note_failure(run, "asked statements", code);
    unsigned own = take_asked(tx, run);
    if (ask_xid)
        take_xid(run, own);
    return 0;
}

static int postgres_script_on(struct transaction *tx, const char *sql, struct err *err)
{
    struct run *run = tx->adapter;
    int code = run->code ? run->code : queue_begin(run);
    if (code == 0)
        code = postgres_script(run->connection, sql);
    if (code == 0)
        return 0;
    run->code = code;
    return err_set(err, code, "%s", postgres_message(run->connection)[0] ? postgres_message(run->connection) : "the connection was lost");
}

/* ---- one run ---- */

static int commit(struct run *run)
{
    run->committing = true;
    assert(!run->asked); /* whoever asks waits for the answer */
    if (run->wrote && !run->xid[0]) {
        int code = queue_xid(run);
        if (code == 0)
            code = postgres_round_trip(run->connection);
        if (code < 0) {
            run->committing = postgres_is_lost(run->connection) ? false : run->committing;
            return note_failure(run, "sent statements", code);
        }
        take_xid(run, 0);
    }
    if (postgres_is_lost(run->connection)) {
        run->committing = false; /* it is not asked for */
        return note_failure(run, "COMMIT", -EAGAIN);
    }
    int code = postgres_queue_command(run->connection, "COMMIT", false);
    if (code == 0)
        code = postgres_round_trip(run->connection);
    return code < 0 ? note_failure(run, "COMMIT", code) : 0;
}

static int end_run(struct run *run, int code)
{
    if (!run->begun)
        return code;
    if (code == 0 && run->code)
        code = run->code;
    if (code == 0)
        code = commit(run);
    if (code < 0 && !postgres_is_lost(run->connection) && postgres_queue_command(run->connection, "ROLLBACK", false) == 0)
        postgres_round_trip(run->connection);
    return code;
}

/* What the server says of a transaction: "committed", "aborted", "in progress", or "" while nobody answers. An id that it has not given
 * yet belongs to a transaction that a crash has undone. */
static void ask_status(struct postgres_database *postgres, struct arena *arena, const struct run *run, char ret_status[24], bool *ret_crashed)
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
static int learn_outcome(struct postgres_database *postgres, struct arena *arena, const struct run *run)
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

static int run_once(struct postgres_database *postgres, struct transaction *tx, struct run *run, transaction_body *body, void *arg)
{
    int code = postgres_pool_take(postgres->pool, &run->connection);
    if (code < 0) {
        run->connection = NULL;
        return code;
    }
    tx->adapter = run;
    snprintf(run->incarnation, sizeof run->incarnation, "%s", postgres_incarnation(run->connection));
    code = end_run(run, transaction_run_body(tx, body, arg));
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
        struct run run = {.begin = "BEGIN", .careful = careful};
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
        struct run run = {.begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
        code = run_once(postgres, tx, &run, body, arg);
    }
    return code == -ENOTCONN ? -EAGAIN : code;
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
    .own = postgres_own,
    .signal = postgres_signal,
    .on_signal = postgres_on_signal,
    .execute = postgres_execute,
    .send = postgres_send,
    .ask = postgres_ask,
    .settle = postgres_settle,
    .script = postgres_script_on,
    .migration_lock = postgres_migration_lock,
};
