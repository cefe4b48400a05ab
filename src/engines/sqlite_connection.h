/* One connection to a file of the embedded engine, used by one thread at a time, with its prepared statements. */
#ifndef PURSER_ENGINES_SQLITE_CONNECTION_H
#define PURSER_ENGINES_SQLITE_CONNECTION_H

#include "engines/database_ops.h"

#include <sqlite3.h>

struct sqlite_connection;

/* Before the first file is opened; more often is fine. From then on a failed sync ends the process. */
void sqlite_prepare_library(void);
/* A writer (WAL, synchronous=FULL) or a reader. 0 or negative with words. */
int sqlite_connection_open(const char *path, bool reader, struct sqlite_connection **ret_connection, struct err *err);
void sqlite_connection_close(struct sqlite_connection *connection);
sqlite3 *sqlite_connection_handle(struct sqlite_connection *connection);

/* Rows affected (ret_rows NULL) or 0, or negative. */
int sqlite_execute(struct sqlite_connection *connection, struct arena *arena, struct rows *ret_rows, const struct sql_statement *statement);
/* A constant statement without arguments and rows (BEGIN). */
int sqlite_command(struct sqlite_connection *connection, const char *sql);
int sqlite_script(struct sqlite_connection *connection, const char *sql, struct err *err);

#endif
