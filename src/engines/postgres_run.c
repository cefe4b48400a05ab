/*
 * The statements of one run of a body (see postgres_run.h): what shares a round trip, and what a failure means for the transaction.
 *
 * PostgreSQL aborts the whole transaction at a violated constraint; since most bodies stop there, savepoints are only set in a second,
 * careful run of a body that has met one. The first run ends at once, as where memory is short: it must not see what a second will not show.
 */
#include "engines/postgres_run.h"

#include "base/log.h"
#include "runtime/worker.h"

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

static bool may_write(const char *sql)
{
    return sql[0] != 'S' && sql[0] != 's';
}

static int queue_begin(struct postgres_run *run)
{
    assert(run->begin || !run->begun); /* there is one statement */
    if (run->begun)
        return 0;
    run->begun = true;
    return !run->begin ? 0 : postgres_queue_command(run->connection, run->begin, false);
}

static int queue_xid(struct postgres_run *run)
{
    return postgres_queue_command(run->connection, "SELECT pg_current_xact_id()::text", true);
}

static void take_xid(struct postgres_run *run, unsigned at)
{
    PGresult *result = postgres_kept(run->connection, at);
    if (result && PQntuples(result) == 1)
        snprintf(run->xid, sizeof run->xid, "%s", PQgetvalue(result, 0, 0));
}

/* After a failed round trip: whether the transaction is over. */
static int note_failure(struct postgres_run *run, const char *sql, int code)
{
    if (code == -EINVAL)
        log_error("a statement failed", "{s:s, s:s}", "sql", sql, "error", postgres_message(run->connection));
    if (run->careful && code == -EEXIST && !run->committing)
        return postgres_queue_command(run->connection, "ROLLBACK TO SAVEPOINT statement", false) < 0 ? (run->code = -EAGAIN) : code;
    run->violated = code == -EEXIST;
    run->code = code;
    if (run->violated && run->begin && !run->careful && !run->committing)
        _longjmp(*memory_rescue, 1); /* to the body's start */
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
static void take_rows(struct transaction *tx, struct postgres_run *run, unsigned at, struct rows *ret_rows)
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
static unsigned take_asked(struct transaction *tx, struct postgres_run *run)
{
    unsigned count = 0;
    for (struct postgres_asked *asked = run->asked; asked; asked = asked->next)
        take_rows(tx, run, count++, asked->rows);
    run->asked = NULL;
    return count;
}

static int affected(struct postgres_run *run, unsigned at)
{
    int64_t count = 0;
    PGresult *result = postgres_kept(run->connection, at);
    if (result)
        text_to_int64(text_of(PQcmdTuples(result)), &count);
    return (int)count;
}

int postgres_execute(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement)
{
    struct postgres_run *run = tx->adapter;
    if (run->code)
        return run->code;
    bool ask_xid = run->begin && (run->wrote || may_write(statement->sql)) && !run->xid[0];
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

static void expect_rows(struct transaction *tx, struct postgres_run *run, struct rows *ret_rows)
{
    struct postgres_asked *asked = arena_alloc(tx->arena, sizeof *asked);
    *asked = (struct postgres_asked){.rows = ret_rows};
    *(run->asked ? run->last_asked : &run->asked) = asked;
    run->last_asked = &asked->next;
}

/* A careful run has a savepoint for each statement, and so waits for each. */
void postgres_ask(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement)
{
    struct postgres_run *run = tx->adapter;
    int code = run->code;
    assert(run->begin); /* one statement is waited for */
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

void postgres_send(struct transaction *tx, const struct sql_statement *statement)
{
    postgres_ask(tx, NULL, statement);
}

int postgres_settle(struct transaction *tx)
{
    struct postgres_run *run = tx->adapter;
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

int postgres_run_script(struct transaction *tx, const char *sql, struct err *err)
{
    struct postgres_run *run = tx->adapter;
    int code = run->code ? run->code : queue_begin(run);
    if (code == 0)
        code = postgres_script(run->connection, sql);
    if (code == 0)
        return 0;
    run->code = code;
    return err_set(err, code, "%s", postgres_message(run->connection)[0] ? postgres_message(run->connection) : "the connection was lost");
}

/* ---- the end ---- */

static int commit(struct postgres_run *run)
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

int postgres_run_end(struct postgres_run *run, int code)
{
    if (!run->begun)
        return code;
    if (code == 0 && run->code)
        code = run->code;
    if (!run->begin)
        return code;
    if (code == 0)
        code = commit(run);
    if (code < 0 && !postgres_is_lost(run->connection) && postgres_queue_command(run->connection, "ROLLBACK", false) == 0)
        postgres_round_trip(run->connection);
    return code;
}
