/* What an adapter of the database port provides, and what the wrapper keeps for it. Only for the adapters and database.c. */
#ifndef PURSER_ENGINES_DATABASE_OPS_H
#define PURSER_ENGINES_DATABASE_OPS_H

#include "engines/database.h"

#include <stdarg.h>
#include <stddef.h>

/* One bound argument, already taken off the variable arguments. */
struct sql_argument {
    char type; /* i: number; t: characters with a NUL; s: characters; b: bytes; 0: NULL */
    int64_t number;
    struct text text;
};

struct sql_statement {
    const char *sql; /* a constant, looked up by its address */
    bool lock;       /* lock the rows it finds */
    unsigned count;
    struct sql_argument arguments[SQL_ARGUMENTS_MAX];
};

struct after_commit {
    void (*run)(void *arg);
    void *arg;
    struct after_commit *next;
};

struct sql_pending;

struct transaction {
    struct database *database;
    struct arena *arena;
    struct after_commit *after; /* in the order they were asked for */
    struct sql_pending *pending; /* sets with rows to write, in the order of their first ones */
    int failed;                 /* of a statement sent or asked, told by the next one */
    void *adapter;              /* the connection that it runs on */
};

struct database_ops {
    const char *scheme; /* of the URL: "sqlite", "postgres" */
    int (*open)(const char *schema, struct database **ret_database, struct err *err);
    void (*close)(struct database *database);
    bool (*is_up)(const struct database *database);
    FIBER_FN int (*transact)(struct database *database, struct transaction *tx, transaction_body *body, void *arg);
    FIBER_FN int (*read)(struct database *database, struct transaction *tx, transaction_body *body, void *arg);
    FIBER_FN int (*scan)(struct database *database, struct transaction *tx, transaction_body *body, void *arg);
    FIBER_FN int (*read_one)(struct database *database, struct transaction *tx, transaction_body *body, void *arg);
    FIBER_FN int (*write_one)(struct database *database, struct transaction *tx, transaction_body *body, void *arg);
    FIBER_FN unsigned (*own)(struct database *database, int first, unsigned count, bool *ret_owned);
    FIBER_FN void (*signal)(struct database *database);
    void (*on_signal)(struct database *database, void (*heard)(void *arg), void *arg);
    /* Rows affected (ret_rows NULL) or 0, or negative. */
    int (*execute)(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement);
    /* Queues it; a failure goes to tx->failed, now or later. */
    void (*send)(struct transaction *tx, const struct sql_statement *statement);
    /* As send, with the rows to come; they are there at the end of settle or of the next execute. */
    void (*ask)(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement);
    int (*settle)(struct transaction *tx);
    /* Several statements without arguments. */
    int (*script)(struct transaction *tx, const char *sql, struct err *err);
    /* Holds off other processes that migrate, for the rest of the transaction. */
    int (*migration_lock)(struct transaction *tx);
};

struct database {
    const struct database_ops *ops;
    const char *schema;
};

extern const struct database_ops sqlite_database_ops, postgres_database_ops;

/* Sends what was added to sets: ahead of every other statement, and at the body's end. */
void sql_write_sets(struct transaction *tx);
/* sql_send, with its arguments in a list. */
void sql_send_list(struct transaction *tx, const char *sql, const char *types, va_list list);

/* Runs the body from a clean start, on whatever thread; -ENOMEM when memory was short in it. */
int transaction_run_body(struct transaction *tx, transaction_body *body, void *arg);

/* A database file of the embedded engine, for adapters that keep their data in one: `schema` runs once, in a new file. */
int sqlite_file_open(const char *name, const char *schema, struct database **ret_database, struct err *err);

/* Room for one more row while a result is read. */
struct rows_builder {
    struct arena *arena;
    struct rows *rows;
    unsigned room;
};
struct text *rows_add(struct rows_builder *builder);

#endif
