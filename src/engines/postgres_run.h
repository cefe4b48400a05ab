/* One run of a transaction's body on a connection: its statements, of which many share a round trip, and its end. For postgres.c. */
#ifndef PURSER_ENGINES_POSTGRES_RUN_H
#define PURSER_ENGINES_POSTGRES_RUN_H

#include "engines/postgres_connection.h"

/* A query whose answer comes with the next round trip. */
struct postgres_asked {
    struct rows *rows;
    struct postgres_asked *next;
};

/* The transaction's `adapter`. Made with `connection`, `begin` and `careful` alone. */
struct postgres_run {
    struct postgres_connection *connection;
    struct postgres_asked *asked, **last_asked; /* in order: the first answers of the next round trip are theirs */
    const char *begin;                          /* the statement that begins it; NULL: the body's one statement is the transaction */
    bool careful;                               /* a savepoint before each statement */
    bool begun, wrote;
    bool violated;   /* a constraint, without a savepoint: the body has to run again, carefully */
    bool committing; /* COMMIT was asked for; if the connection is lost nobody knows what became of it */
    int code;        /* of what aborted the transaction */
    char xid[24], incarnation[40]; /* the id is known before COMMIT where anything was written */
};

/* As database_ops has them. */
FIBER_FN int postgres_execute(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement);
FIBER_FN void postgres_ask(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement);
FIBER_FN void postgres_send(struct transaction *tx, const struct sql_statement *statement);
FIBER_FN int postgres_settle(struct transaction *tx);
FIBER_FN int postgres_run_script(struct transaction *tx, const char *sql, struct err *err);

/* Commits where `code`, the body's word, is 0 and nothing has failed, and rolls back else. 0 or what went wrong; -EAGAIN of a lost connection. */
FIBER_FN int postgres_run_end(struct postgres_run *run, int code);

#endif
