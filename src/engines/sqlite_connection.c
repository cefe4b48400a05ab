/*
 * A SQLite connection: its settings, its prepared statements, and what SQLite's codes mean here.
 *
 * Statements are found by the address of their text, which is a constant of the program.
 */
#include "engines/sqlite_connection.h"

#include "base/log.h"
#include "engines/sqlite_sync.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Open addressing by the address of the text; grows at three quarters. */
struct prepared {
    const char *sql;
    sqlite3_stmt *statement;
};

struct sqlite_connection {
    sqlite3 *handle;
    const char *path;
    struct prepared *prepared;
    unsigned prepared_count, prepared_room;
};

static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1); /* savepoints are undone from memory */
    sqlite3_initialize();
    sqlite_sync_prepare();
}

void sqlite_prepare_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure);
}

/* What a failure of SQLite's is here. */
static int failure(int code)
{
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT: return -EEXIST;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EAGAIN;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_INTERRUPT: return -ECANCELED;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return -EIO;
    default: return -EINVAL;
    }
}

static int set_up(struct sqlite_connection *connection, bool reader, struct err *err)
{
    static const char common[] = "PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;";
    static const char writing[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864; "
                                  "PRAGMA wal_autocheckpoint=2000; PRAGMA cache_size=-4096;";
    static const char reading[] = "PRAGMA query_only=ON; PRAGMA cache_size=-1024;";
    int code = sqlite_script(connection, common, err);
    if (code == 0)
        code = sqlite_script(connection, reader ? reading : writing, err);
    return code;
}

int sqlite_connection_open(const char *path, bool reader, struct sqlite_connection **ret_connection, struct err *err)
{
    struct sqlite_connection *connection = calloc(1, sizeof *connection);
    if (!connection || !(connection->path = strdup(path))) {
        free(connection);
        return err_set(err, -ENOMEM, "out of memory");
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &connection->handle, flags, NULL);
    if (code != SQLITE_OK)
        code = err_set(err, -EIO, "%s", sqlite3_errmsg(connection->handle));
    else
        code = set_up(connection, reader, err);
    if (code < 0) {
        if (err)
            err_prefix(err, "%s", path);
        sqlite_connection_close(connection);
        return code;
    }
    *ret_connection = connection;
    return 0;
}

void sqlite_connection_close(struct sqlite_connection *connection)
{
    if (!connection)
        return;
    for (unsigned i = 0; i < connection->prepared_room; i++)
        if (connection->prepared[i].sql)
            sqlite3_finalize(connection->prepared[i].statement);
    free(connection->prepared);
    sqlite3_close(connection->handle);
    free((char *)connection->path);
    free(connection);
}

sqlite3 *sqlite_connection_handle(struct sqlite_connection *connection)
{
    return connection->handle;
}

int sqlite_script(struct sqlite_connection *connection, const char *sql, struct err *err)
{
    char *message = NULL;
    int code = sqlite3_exec(connection->handle, sql, NULL, NULL, &message);
    if (code == SQLITE_OK)
        return 0;
    code = err_set(err, failure(code), "%s", message ? message : sqlite3_errstr(code));
    sqlite3_free(message);
    return code;
}

/* ---- prepared statements ---- */

static struct prepared *place_of(struct prepared *table, unsigned room, const char *sql)
{
    uintptr_t hash = (uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);
    unsigned at = (unsigned)(hash >> 32) & (room - 1);
    while (table[at].sql && table[at].sql != sql)
        at = (at + 1) & (room - 1);
    return &table[at];
}

static int make_room(struct sqlite_connection *connection)
{
    if (connection->prepared_count * 4 < connection->prepared_room * 3)
        return 0;
    unsigned room = connection->prepared_room ? connection->prepared_room * 2 : 32;
    struct prepared *table = calloc(room, sizeof *table);
    if (!table)
        return -ENOMEM;
    for (unsigned i = 0; i < connection->prepared_room; i++)
        if (connection->prepared[i].sql)
            *place_of(table, room, connection->prepared[i].sql) = connection->prepared[i];
    free(connection->prepared);
    connection->prepared = table;
    connection->prepared_room = room;
    return 0;
}

static int prepare(struct sqlite_connection *connection, const char *sql, sqlite3_stmt **ret_statement)
{
    if (make_room(connection) < 0)
        return -ENOMEM;
    struct prepared *place = place_of(connection->prepared, connection->prepared_room, sql);
    if (!place->sql) {
        int code = sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &place->statement, NULL);
        if (code != SQLITE_OK) {
            log_error("a statement cannot be prepared", "{s:s, s:s}", "sql", sql, "error", sqlite3_errmsg(connection->handle));
            return failure(code);
        }
        place->sql = sql;
        connection->prepared_count++;
    }
    *ret_statement = place->statement;
    return 0;
}

static int bind(sqlite3_stmt *prepared, const struct sql_statement *statement)
{
    int code = SQLITE_OK;
    for (unsigned i = 0; i < statement->count && code == SQLITE_OK; i++) {
        const struct sql_argument *argument = &statement->arguments[i];
        int at = (int)i + 1, size = (int)argument->text.size;
        if (argument->type == 'i')
            code = sqlite3_bind_int64(prepared, at, argument->number);
        else if (argument->type == 't' || argument->type == 's')
            code = sqlite3_bind_text(prepared, at, argument->text.at, size, SQLITE_STATIC);
        else if (argument->type == 'b')
            code = sqlite3_bind_blob(prepared, at, argument->text.at, size, SQLITE_STATIC);
        else
            code = sqlite3_bind_null(prepared, at);
    }
    return code;
}

static struct text column(struct arena *arena, sqlite3_stmt *prepared, int at)
{
    int type = sqlite3_column_type(prepared, at);
    if (type == SQLITE_NULL)
        return (struct text){NULL, 0};
    if (type == SQLITE_INTEGER)
        return rows_number(arena, sqlite3_column_int64(prepared, at));
    const void *bytes = type == SQLITE_BLOB ? sqlite3_column_blob(prepared, at) : sqlite3_column_text(prepared, at);
    size_t size = (size_t)sqlite3_column_bytes(prepared, at);
    return (struct text){arena_copy(arena, bytes ? bytes : "", size), size};
}

static int step_all(struct arena *arena, struct rows *rows, sqlite3_stmt *prepared)
{
    struct rows_builder builder = {arena, rows, 0};
    int code;
    if (rows)
        *rows = (struct rows){.columns = (unsigned)sqlite3_column_count(prepared)};
    while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
        if (!rows)
            continue;
        struct text *cells = rows_add(&builder);
        for (unsigned i = 0; i < rows->columns; i++)
            cells[i] = column(arena, prepared, (int)i);
    }
    return code;
}

int sqlite_execute(struct sqlite_connection *connection, struct arena *arena, struct rows *ret_rows, const struct sql_statement *statement)
{
    sqlite3_stmt *prepared = NULL;
    int code = prepare(connection, statement->sql, &prepared);
    if (code < 0)
        return code;
    /* A body that memory_short() ended may have left it in the middle. */
    sqlite3_reset(prepared);
    int result = bind(prepared, statement);
    if (result == SQLITE_OK)
        result = step_all(arena, ret_rows, prepared);
    code = result == SQLITE_DONE ? 0 : failure(result);
    if (code == -EINVAL)
        log_error("a statement failed", "{s:s, s:s}", "sql", statement->sql, "error", sqlite3_errmsg(connection->handle));
    if (code == 0 && !ret_rows && !sqlite3_stmt_readonly(prepared))
        code = (int)sqlite3_changes64(connection->handle);
    sqlite3_reset(prepared);
    return code;
}

int sqlite_command(struct sqlite_connection *connection, const char *sql)
{
    struct sql_statement statement = {.sql = sql};
    int code = sqlite_execute(connection, NULL, NULL, &statement);
    return code > 0 ? 0 : code;
}
