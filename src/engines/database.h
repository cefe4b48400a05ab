/*
 * The database port: transactions over SQLite (one writer thread, group commit over savepoints, readers per worker) or PostgreSQL
 * (pooled connections per worker, pipeline mode).
 *
 * A body must touch nothing but the transaction and its argument: it runs on another thread (SQLite) and may run again after a
 * serialisation failure or when a group was rolled back. It never waits for anything else and never touches the fiber. Isolation
 * is READ COMMITTED: decide by conditional UPDATE … RETURNING or sql_lock_row. No call answers before the commit is durable.
 */
#ifndef PURSER_ENGINES_DATABASE_H
#define PURSER_ENGINES_DATABASE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "runtime/fiber.h"

#include <stdbool.h>
#include <stdint.h>

struct database;
struct transaction;

/* Opens `schema` ("users": its own file, or its own PostgreSQL schema and role) at the URL of the setting database_url. On worker 0
 * at start. 0 or negative with one line in `err`. */
int database_open(const char *schema, struct database **ret_database, struct err *err);
/* Applies the embedded migrations of that service that are missing. */
FIBER_FN int database_migrate(struct database *database, const char *service, struct err *err);
void database_close(struct database *database);
/* Whether a statement would be answered now. */
bool database_is_up(const struct database *database);
bool database_is_postgres(const struct database *database);

/* 0 commits, negative rolls back and is returned. */
typedef int transaction_body(struct transaction *tx, void *arg);

/* Runs `body` as one durable transaction. 0, the body's own negative code, -EAGAIN (database away), -ENOSPC, -ETIMEDOUT (by the
 * fiber's deadline, only while it had not begun), -EIO. Waits even when cancelled once begun. */
FIBER_FN int database_transact(struct database *database, transaction_body *body, void *arg);
/* A consistent read; writes are a bug. */
FIBER_FN int database_read(struct database *database, transaction_body *body, void *arg);
/* As database_read on the thread for scans (admin lists, ledger), so that they hold up nobody. */
FIBER_FN int database_scan(struct database *database, transaction_body *body, void *arg);

/* As database_read and database_transact, for a body that is one sql_query or sql_run: on PostgreSQL that statement is a transaction by
 * itself, in one round trip. A write must come to the same when it is done twice: it is done again where its answer was lost. */
FIBER_FN int database_read_one(struct database *database, transaction_body *body, void *arg);
FIBER_FN int database_write_one(struct database *database, transaction_body *body, void *arg);

/* Which of the schema's locks `first` … `first` + `count` - 1 (of 64) this process holds, having taken those that were free; it keeps them
 * until the connection that holds them ends. One process at a time; on SQLite always this one. Never waits for another holder. Returns
 * how many it holds. On worker 0. */
FIBER_FN unsigned database_own(struct database *database, int first, unsigned count, bool *ret_owned);
/* Tells the other processes of the schema that something is new: `heard(arg)` is called on their worker 0. A hint, which may be lost. */
FIBER_FN void database_signal(struct database *database);
void database_on_signal(struct database *database, void (*heard)(void *arg), void *arg);

/* Memory that lives as long as the caller's fiber arena. */
struct arena *transaction_arena(struct transaction *tx);
/* Asks that `run(arg)` is called on the calling worker once this transaction is durable (wake a relay). Kept only if it commits;
 * the same call asked for twice is made once. */
void transaction_after_commit(struct transaction *tx, void (*run)(void *arg), void *arg);
struct database *transaction_database(struct transaction *tx);

/* Rows of a result, all in memory (arena of the transaction). */
struct rows {
    unsigned count, columns;
    struct text *cells; /* text form; at == NULL is NULL */
};
const char *rows_text(const struct rows *rows, unsigned row, unsigned column); /* NUL-terminated; NULL when NULL */
int64_t rows_integer(const struct rows *rows, unsigned row, unsigned column);  /* 0 when NULL */
bool rows_null(const struct rows *rows, unsigned row, unsigned column);
/* A cell that is a number: decimal text in the arena. */
struct text rows_number(struct arena *arena, int64_t number);

/*
 * Statements use ?1 … ?n. `types` says each argument: t const char * (NULL is NULL), i int64_t, s struct text * (characters; at ==
 * NULL is NULL), b struct text * (bytes: a BLOB or bytea column). `sql` must be a constant: statements are prepared once per
 * connection and looked up by address.
 * A violated unique or CHECK or foreign-key constraint is -EEXIST (the statement alone is undone; the transaction goes on).
 */
#define SQL_ARGUMENTS_MAX 32
int sql_run(struct transaction *tx, const char *sql, const char *types, ...);              /* rows affected, or negative */
int sql_query(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...); /* 0 or negative */
/* Queues a statement whose result nobody reads: it runs in order, before the next sql_run/sql_query/commit; its failure fails that
 * one. On PostgreSQL it shares a round trip. */
int sql_send(struct transaction *tx, const char *sql, const char *types, ...);
/* Queues a query: its rows are there after sql_settle (or any later sql_run or sql_query), and `ret_rows` has to live till then. Many
 * asked before one sql_settle share a round trip on PostgreSQL. Failures are told as those of sql_send. */
int sql_ask(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...);
int sql_ask_locked(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...); /* see below */
/* Waits for what was asked and sent. 0, or the first failure. */
int sql_settle(struct transaction *tx);
/* Locks the row for the rest of the transaction: adds " FOR UPDATE" on PostgreSQL, plain on SQLite (one writer). */
int sql_query_locked(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...);

/* ---- many rows at once ---- */

/* Rows for one statement, none at first. `types` are t, i and s, as above. */
struct sql_list {
    unsigned columns, count, room;
    struct text *cells;
};
void sql_list_add(struct transaction *tx, struct sql_list *list, const char *types, ...);
/* sql_ask on PostgreSQL, where ?1 … ?n are the list's columns, each to be taken as ::text[]. Of an empty list nothing is asked. */
void sql_ask_list(struct transaction *tx, struct rows *ret_rows, const char *sql, const struct sql_list *list);
/* For an argument `b` that PostgreSQL is told to take as ::text[]: every `stride`-th of the elements, `count` in all; at == NULL is NULL. In the
 * arena. */
struct text postgres_text_array(struct arena *arena, const struct text *elements, unsigned count, unsigned stride);

/* What is done to each of many rows, and nobody reads a result. */
struct sql_set {
    const char *each;     /* one row, as sql_send has it */
    const char *together; /* on PostgreSQL: all rows, as sql_ask_list has it, in their order */
};
/* Adds a row, as if sent: on SQLite it is; on PostgreSQL all rows of the set are one statement, ahead of the next one that is not added, or at the
 * body's end. So two sets that touch the same rows need a statement between them, and so do two changes of a row by one set. */
void sql_add(struct transaction *tx, const struct sql_set *set, const char *types, ...);

#endif
