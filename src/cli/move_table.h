/* One table on its way from a file of the embedded engine into a cluster's database. Inside bodies of transactions on the target. */
#ifndef PURSER_CLI_MOVE_TABLE_H
#define PURSER_CLI_MOVE_TABLE_H

#include "engines/database_ops.h"

#include <sqlite3.h>

struct move_table {
    const char *name;
    unsigned columns;
    /* Statements that live as long as the target's connections, which know them by address. */
    const char *select; /* on the source, in the order of the key, as `declare` on the target */
    const char *hold, *count, *clear, *insert, *declare, *fetch, *close, *number;
    int64_t rows;
};

/* A file of the data folder, or -ENOENT, or negative with one line. */
int move_open_file(const char *name, sqlite3 **ret_handle, struct err *err);

/* Learns the columns and the key, and writes the statements into `arena`, which must outlive the target. */
int move_table_init(struct arena *arena, sqlite3 *source, const char *name, struct move_table *ret_table, struct err *err);
/* Keeps all others from writing it until the transaction ends. */
int move_table_hold(struct transaction *tx, const struct move_table *table);
/* -EEXIST with one line if there are rows, but for those that every new schema has. */
int move_table_is_empty(struct transaction *tx, const struct move_table *table, struct err *err);
/* All rows; the target's own numbering goes on behind them. */
int move_table_copy(struct transaction *tx, sqlite3 *source, struct move_table *table, struct err *err);
/* Reads both sides in the order of the key: every cell must be the same. Counts `rows`. */
int move_table_compare(struct transaction *tx, sqlite3 *source, struct move_table *table, struct err *err);

/* A body: both sides have had the same migrations. */
struct move_version {
    sqlite3 *source;
    struct err *err;
};
int move_same_version(struct transaction *tx, void *version);

#endif
