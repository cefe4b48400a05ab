/*
 * The database port on SQLite: one file a service in the data folder, one writer's lane, one reader's connection for each worker (made at
 * its first read, used on its own thread), and a lane for scans (made at the first scan).
 */
#include "base/settings.h"
#include "engines/data_folder.h"
#include "engines/sqlite_lane.h"
#include "runtime/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct sqlite_database {
    struct database base; /* first */
    char *path;
    struct sqlite_lane *writer;
    pthread_mutex_t scanner_lock;
    struct sqlite_lane *scanner;
    struct sqlite_connection *readers[WORKER_MAX]; /* each touched by its worker alone */
};

static struct sqlite_database *sqlite_of(struct database *database)
{
    return (struct sqlite_database *)database;
}

static void sqlite_close(struct database *database)
{
    struct sqlite_database *sqlite = sqlite_of(database);
    for (unsigned i = 0; i < WORKER_MAX; i++)
        sqlite_connection_close(sqlite->readers[i]);
    sqlite_lane_free(sqlite->scanner);
    sqlite_lane_free(sqlite->writer); /* last: the last to close folds the log into the file */
    pthread_mutex_destroy(&sqlite->scanner_lock);
    free((char *)sqlite->base.schema);
    free(sqlite->path);
    free(sqlite);
}

static int open_writer(struct sqlite_database *sqlite, const char *schema, struct err *err)
{
    struct sqlite_connection *connection;
    int code = sqlite_connection_open(sqlite->path, false, &connection, err);
    if (code == 0 && schema) {
        code = sqlite_script(connection, schema, err);
        if (code < 0)
            sqlite_connection_close(connection);
    }
    if (code < 0)
        return code;
    sqlite->writer = sqlite_lane_new(connection, true);
    return sqlite->writer ? 0 : err_set(err, -ENOMEM, "no thread can be started");
}

int sqlite_file_open(const char *name, const char *schema, struct database **ret_database, struct err *err)
{
    int code = data_folder_take(err);
    if (code < 0)
        return code;
    sqlite_prepare_library();
    struct sqlite_database *sqlite = calloc(1, sizeof *sqlite);
    if (!sqlite)
        return err_set(err, -ENOMEM, "out of memory");
    pthread_mutex_init(&sqlite->scanner_lock, NULL);
    sqlite->base = (struct database){&sqlite_database_ops, strdup(name)};
    if (asprintf(&sqlite->path, "%s/%s.db", settings_text("data"), name) < 0)
        sqlite->path = NULL;
    code = sqlite->base.schema && sqlite->path ? open_writer(sqlite, schema, err) : err_set(err, -ENOMEM, "out of memory");
    if (code < 0) {
        sqlite_close(&sqlite->base);
        return code;
    }
    *ret_database = &sqlite->base;
    return 0;
}

static int sqlite_open(const char *schema, struct database **ret_database, struct err *err)
{
    return sqlite_file_open(schema, NULL, ret_database, err);
}

static bool sqlite_is_up(const struct database *database)
{
    return true;
}

static int sqlite_transact(struct database *database, struct transaction *tx, transaction_body *body, void *arg)
{
    return sqlite_lane_run(sqlite_of(database)->writer, tx, body, arg);
}

static int sqlite_read(struct database *database, struct transaction *tx, transaction_body *body, void *arg)
{
    struct sqlite_database *sqlite = sqlite_of(database);
    struct sqlite_connection **reader = &sqlite->readers[worker_index(worker_self())];
    if (!*reader) {
        int code = sqlite_connection_open(sqlite->path, true, reader, NULL);
        if (code < 0)
            return code;
    }
    int code = sqlite_run_alone(*reader, "BEGIN", tx, body, arg);
    if (code == -ENOMEM)
        memory_short();
    return code;
}

static struct sqlite_lane *scanner_of(struct sqlite_database *sqlite)
{
    pthread_mutex_lock(&sqlite->scanner_lock);
    if (!sqlite->scanner) {
        struct sqlite_connection *connection;
        if (sqlite_connection_open(sqlite->path, true, &connection, NULL) == 0)
            sqlite->scanner = sqlite_lane_new(connection, false);
    }
    pthread_mutex_unlock(&sqlite->scanner_lock);
    return sqlite->scanner;
}

static int sqlite_scan(struct database *database, struct transaction *tx, transaction_body *body, void *arg)
{
    struct sqlite_lane *scanner = scanner_of(sqlite_of(database));
    return scanner ? sqlite_lane_run(scanner, tx, body, arg) : -EAGAIN;
}

/* The data folder belongs to this process: there are no others. */
static unsigned sqlite_own(struct database *database, int first, unsigned count, bool *ret_owned)
{
    for (unsigned i = 0; i < count; i++)
        ret_owned[i] = true;
    return count;
}

static void sqlite_signal(struct database *database)
{
}

static void sqlite_on_signal(struct database *database, void (*heard)(void *arg), void *arg)
{
}

static int sqlite_execute_on(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement)
{
    return sqlite_execute(tx->adapter, tx->arena, ret_rows, statement);
}

/* Here an answer costs no wait: what is asked is answered at once. */
static void sqlite_ask(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement)
{
    int code = sqlite_execute(tx->adapter, tx->arena, ret_rows, statement);
    if (code < 0)
        tx->failed = code;
}

static int sqlite_settle(struct transaction *tx)
{
    return 0;
}

static void sqlite_send(struct transaction *tx, const struct sql_statement *statement)
{
    sqlite_ask(tx, NULL, statement);
}

static int sqlite_script_on(struct transaction *tx, const char *sql, struct err *err)
{
    return sqlite_script(tx->adapter, sql, err);
}

static int sqlite_migration_lock(struct transaction *tx)
{
    return 0; /* the data folder belongs to this process */
}

const struct database_ops sqlite_database_ops = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .is_up = sqlite_is_up,
    .transact = sqlite_transact,
    .read = sqlite_read,
    .scan = sqlite_scan,
    .read_one = sqlite_read,
    .write_one = sqlite_transact,
    .own = sqlite_own,
    .signal = sqlite_signal,
    .on_signal = sqlite_on_signal,
    .execute = sqlite_execute_on,
    .send = sqlite_send,
    .ask = sqlite_ask,
    .settle = sqlite_settle,
    .script = sqlite_script_on,
    .migration_lock = sqlite_migration_lock,
};
