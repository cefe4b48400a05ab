/*
 * Copying and comparing a table. Rows go to PostgreSQL in batches that share round trips, and come back through a cursor; each batch has an
 * arena of its own, so that a table of any size needs the memory of a batch. Keys are ordered as text by bytes on both
 * sides, whatever their type and the database's collation.
 */
#include "cli/move_table.h"

#include "base/settings.h"
#include "engines/sqlite_connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH 100 /* a connection keeps track of 256 statements at once */

int move_open_file(const char *name, sqlite3 **ret_handle, struct err *err)
{
    const char *path = arena_printf(fiber_arena(), "%s/%s", settings_text("data"), name);
    *ret_handle = NULL;
    if (access(path, F_OK))
        return -ENOENT;
    sqlite_prepare_library();
    if (sqlite3_open_v2(path, ret_handle, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        return 0;
    err_set(err, -EIO, "%s: %s", path, sqlite3_errmsg(*ret_handle));
    sqlite3_close(*ret_handle);
    *ret_handle = NULL;
    return -EIO;
}

static int prepare(sqlite3 *source, const char *sql, sqlite3_stmt **ret_statement, struct err *err)
{
    if (sqlite3_prepare_v2(source, sql, -1, ret_statement, NULL) == SQLITE_OK)
        return 0;
    return err_set(err, -EIO, "%s", sqlite3_errmsg(source));
}

/* ---- what it looks like ---- */

struct parts {
    const char *columns, *places, *source_key, *target_key;
    bool has_id;
};

static int learn_columns(struct arena *arena, sqlite3 *source, struct move_table *table, struct parts *ret_parts, struct err *err)
{
    sqlite3_stmt *statement;
    *ret_parts = (struct parts){"", "", "", "", false};
    int code = prepare(source, arena_printf(arena, "SELECT name, pk FROM pragma_table_info('%s') ORDER BY cid", table->name), &statement, err);
    while (!code && sqlite3_step(statement) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0), *comma = table->columns++ ? ", " : "";
        ret_parts->columns = arena_printf(arena, "%s%s\"%s\"", ret_parts->columns, comma, name);
        ret_parts->places = arena_printf(arena, "%s%s?%u", ret_parts->places, comma, table->columns);
        ret_parts->has_id |= !strcmp(name, "id");
        if (!sqlite3_column_int(statement, 1))
            continue;
        const char *and = *ret_parts->source_key ? ", " : "";
        ret_parts->source_key = arena_printf(arena, "%s%sCAST(\"%s\" AS TEXT)", ret_parts->source_key, and, name);
        ret_parts->target_key = arena_printf(arena, "%s%s\"%s\"::text COLLATE \"C\"", ret_parts->target_key, and, name);
    }
    sqlite3_finalize(statement);
    if (!code && (!*ret_parts->source_key || table->columns > SQL_ARGUMENTS_MAX))
        code = err_set(err, -EINVAL, "table %s has no key, or too many columns", table->name);
    return code;
}

int move_table_init(struct arena *arena, sqlite3 *source, const char *name, struct move_table *ret_table, struct err *err)
{
    struct parts parts;
    *ret_table = (struct move_table){.name = arena_strdup(arena, name)};
    int code = learn_columns(arena, source, ret_table, &parts, err);
    if (code)
        return code;
    ret_table->select = arena_printf(arena, "SELECT %s FROM \"%s\" ORDER BY %s", parts.columns, name, parts.source_key);
    ret_table->hold = arena_printf(arena, "LOCK TABLE \"%s\" IN EXCLUSIVE MODE", name);
    ret_table->count = arena_printf(arena, "SELECT count(*) FROM \"%s\"", name);
    ret_table->clear = arena_printf(arena, "DELETE FROM \"%s\"", name);
    ret_table->insert = arena_printf(arena, "INSERT INTO \"%s\" (%s) VALUES (%s)", name, parts.columns, parts.places);
    ret_table->declare = arena_printf(arena, "DECLARE \"moved_%s\" CURSOR FOR SELECT %s FROM \"%s\" ORDER BY %s", name, parts.columns, name,
                                      parts.target_key);
    ret_table->fetch = arena_printf(arena, "FETCH %d FROM \"moved_%s\"", BATCH, name);
    ret_table->close = arena_printf(arena, "CLOSE \"moved_%s\"", name);
    ret_table->number = parts.has_id ? arena_printf(arena,
                                                    "SELECT setval(pg_get_serial_sequence('\"%s\"', 'id'), (SELECT max(id::text::bigint) FROM \"%s\")) "
                                                    "WHERE pg_get_serial_sequence('\"%s\"', 'id') IS NOT NULL",
                                                    name, name, name)
                                     : NULL;
    return 0;
}

/* Counters whose one row comes with the schema. */
static bool is_counter(const struct move_table *table)
{
    return !strcmp(table->name, "ending_counter") || !strcmp(table->name, "function_registry");
}

int move_table_hold(struct transaction *tx, const struct move_table *table)
{
    struct rows rows;
    return sql_query(tx, &rows, table->hold, "");
}

int move_table_is_empty(struct transaction *tx, const struct move_table *table, struct err *err)
{
    struct rows rows;
    int code = sql_query(tx, &rows, table->count, "");
    if (code < 0)
        return code;
    if (rows_integer(&rows, 0, 0) && !is_counter(table))
        return err_set(err, -EEXIST, "the target's table %s has %s rows already: move into a cluster that has never run", table->name,
                       rows_text(&rows, 0, 0));
    return 0;
}

/* ---- copying ---- */

static struct sql_argument argument_of(sqlite3_stmt *row, int at)
{
    switch (sqlite3_column_type(row, at)) {
    case SQLITE_NULL: return (struct sql_argument){0};
    case SQLITE_INTEGER: return (struct sql_argument){.type = 'i', .number = sqlite3_column_int64(row, at)};
    case SQLITE_BLOB: return (struct sql_argument){'b', 0, {sqlite3_column_blob(row, at), (size_t)sqlite3_column_bytes(row, at)}};
    default: return (struct sql_argument){'t', 0, {(const char *)sqlite3_column_text(row, at), (size_t)sqlite3_column_bytes(row, at)}};
    }
}

static int insert_row(struct transaction *tx, sqlite3_stmt *row, const struct move_table *table)
{
    struct sql_statement statement = {.sql = table->insert, .count = table->columns};
    for (unsigned i = 0; i < table->columns; i++)
        statement.arguments[i] = argument_of(row, (int)i);
    if (!tx->failed)
        tx->database->ops->send(tx, &statement);
    return tx->failed;
}

/* Waits for what was sent. */
static int settle(struct transaction *tx)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT 1", "");
    arena_reset(tx->arena);
    return code < 0 ? code : 0;
}

static int copy_rows(struct transaction *tx, sqlite3 *source, struct move_table *table, struct err *err)
{
    sqlite3_stmt *statement;
    int code = prepare(source, table->select, &statement, err), step = SQLITE_DONE;
    table->rows = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        code = insert_row(tx, statement, table);
        if (!code && ++table->rows % BATCH == 0)
            code = settle(tx);
    }
    if (!code && step != SQLITE_DONE)
        code = err_set(err, -EIO, "%s", sqlite3_errmsg(source));
    sqlite3_finalize(statement);
    return code ? code : settle(tx);
}

int move_table_copy(struct transaction *tx, sqlite3 *source, struct move_table *table, struct err *err)
{
    struct arena *whole = tx->arena;
    struct rows rows;
    int code = is_counter(table) ? sql_run(tx, table->clear, "") : 0;
    if (code < 0)
        return code;
    if (!(tx->arena = arena_new()))
        code = -ENOMEM;
    else
        code = copy_rows(tx, source, table, err);
    arena_free(tx->arena);
    tx->arena = whole;
    if (!code && table->number && table->rows && !is_counter(table))
        code = sql_query(tx, &rows, table->number, "");
    return code;
}

/* ---- comparing ---- */

static bool is_same(sqlite3_stmt *row, const struct rows *rows, unsigned at)
{
    for (unsigned i = 0; i < rows->columns; i++) {
        const struct text *there = &rows->cells[at * rows->columns + i];
        bool null = sqlite3_column_type(row, (int)i) == SQLITE_NULL;
        if (null != (there->at == NULL))
            return false;
        const void *here = sqlite3_column_blob(row, (int)i); /* a number as its text */
        size_t size = (size_t)sqlite3_column_bytes(row, (int)i);
        if (!null && (size != there->size || (size && memcmp(here, there->at, size))))
            return false;
    }
    return true;
}

static int compare_rows(struct transaction *tx, sqlite3_stmt *statement, struct move_table *table, struct err *err)
{
    struct rows rows = {.count = 1};
    int64_t copied = table->rows;
    table->rows = 0;
    while (rows.count) {
        arena_reset(tx->arena);
        int code = sql_query(tx, &rows, table->fetch, "");
        if (code < 0)
            return code;
        for (unsigned i = 0; i < rows.count; i++, table->rows++)
            if (sqlite3_step(statement) != SQLITE_ROW || !is_same(statement, &rows, i))
                return err_set(err, -EIO, "row %lld of table %s is not in the target what it is in the file", (long long)table->rows + 1, table->name);
    }
    if (sqlite3_step(statement) != SQLITE_DONE || table->rows != copied)
        return err_set(err, -EIO, "table %s has rows in the file that the target has not", table->name);
    return 0;
}

int move_table_compare(struct transaction *tx, sqlite3 *source, struct move_table *table, struct err *err)
{
    struct arena *whole = tx->arena;
    struct rows rows;
    sqlite3_stmt *statement;
    int code = prepare(source, table->select, &statement, err);
    if (!code)
        code = sql_query(tx, &rows, table->declare, "");
    if (!code && !(tx->arena = arena_new()))
        code = -ENOMEM;
    if (!code)
        code = compare_rows(tx, statement, table, err);
    if (tx->arena != whole)
        arena_free(tx->arena);
    tx->arena = whole;
    sqlite3_finalize(statement);
    return code ? code : sql_query(tx, &rows, table->close, "");
}

int move_same_version(struct transaction *tx, void *arg)
{
    struct move_version *version = arg;
    struct rows rows;
    sqlite3_stmt *statement;
    int code = prepare(version->source, "SELECT group_concat(mark) FROM (SELECT service || number AS mark FROM schema_migrations ORDER BY 1)",
                       &statement, version->err);
    if (!code)
        code = sql_query(tx, &rows, "SELECT string_agg(service || number, ',' ORDER BY (service || number) COLLATE \"C\") FROM schema_migrations", "");
    if (!code) {
        const char *here = sqlite3_step(statement) == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        const char *there = rows_text(&rows, 0, 0);
        if (!here || !there || strcmp(here, there))
            code = err_set(version->err, -EINVAL, "the data are of another version: run `purser migrate` on them first");
    }
    sqlite3_finalize(statement);
    return code;
}
