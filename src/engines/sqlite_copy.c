/*
 * Copies of several database files as they are at one moment: the write lock of every file is taken, a reader is begun on each, and the
 * locks are given back; then what the readers see is copied in peace, by SQLite's backup interface, while the system writes on. So a
 * message that has left one service's file is in the queue's or in the receiver's, as after a crash.
 */
#include "engines/sqlite_copy.h"

#include "engines/sqlite_connection.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 20000
#define PATH_SIZE 4096

struct source {
    const char *name;
    sqlite3 *holder, *reader; /* of the write lock; of the moment's view */
};

static int fail(struct err *err, sqlite3 *handle, const char *name)
{
    return err_set(err, -EIO, "%s: %s", name, handle ? sqlite3_errmsg(handle) : "out of memory");
}

static int open_file(const char *folder, const char *name, int flags, sqlite3 **ret_handle, struct err *err)
{
    char path[PATH_SIZE];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return err_set(err, -ENAMETOOLONG, "%s: the path is too long", name);
    if (sqlite3_open_v2(path, ret_handle, SQLITE_OPEN_READWRITE | flags, NULL) != SQLITE_OK)
        return fail(err, *ret_handle, path);
    sqlite3_busy_timeout(*ret_handle, PATIENCE_MS);
    return 0;
}

static int on_each(struct source *sources, unsigned count, bool readers, const char *sql, struct err *err)
{
    for (unsigned i = 0; i < count; i++) {
        sqlite3 *handle = readers ? sources[i].reader : sources[i].holder;
        if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
            return fail(err, handle, sources[i].name);
    }
    return 0;
}

/* From here on each reader sees its file as it was at one and the same moment. */
static int take_the_moment(struct source *sources, unsigned count, struct err *err)
{
    int code = on_each(sources, count, false, "BEGIN IMMEDIATE", err);
    if (code == 0)
        code = on_each(sources, count, true, "BEGIN; SELECT count(*) FROM sqlite_schema", err);
    return code ? code : on_each(sources, count, false, "ROLLBACK", err);
}

static int check(sqlite3 *copy, const char *name, struct err *err)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(copy, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK)
        return fail(err, copy, name);
    const char *said = sqlite3_step(statement) == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    int code = said && !strcmp(said, "ok") ? 0 : err_set(err, -EIO, "the copy of %s is not whole: %s", name, said ? said : "unreadable");
    sqlite3_finalize(statement);
    return code;
}

static int copy_one(const struct source *source, const char *to, struct err *err)
{
    sqlite3 *copy = NULL;
    int code = open_file(to, source->name, SQLITE_OPEN_CREATE, &copy, err);
    sqlite3_backup *backup = code ? NULL : sqlite3_backup_init(copy, "main", source->reader, "main");
    if (backup) {
        int step = sqlite3_backup_step(backup, -1);
        int end = sqlite3_backup_finish(backup);
        if (step != SQLITE_DONE || end != SQLITE_OK)
            code = err_set(err, end == SQLITE_FULL ? -ENOSPC : -EIO, "%s/%s: %s", to, source->name, sqlite3_errstr(end ? end : step));
    } else if (!code) {
        code = fail(err, copy, source->name);
    }
    if (!code)
        code = check(copy, source->name, err);
    sqlite3_close(copy);
    return code;
}

int sqlite_copy_files(const char *from, const char *to, const char *const *names, unsigned count, struct err *err)
{
    struct source sources[SQLITE_COPY_FILES_MAX] = {0};
    if (count > SQLITE_COPY_FILES_MAX)
        return err_set(err, -E2BIG, "more than %d database files", SQLITE_COPY_FILES_MAX);
    sqlite_prepare_library();
    int code = 0;
    for (unsigned i = 0; i < count && !code; i++) {
        sources[i].name = names[i];
        code = open_file(from, names[i], 0, &sources[i].holder, err);
        if (!code)
            code = open_file(from, names[i], 0, &sources[i].reader, err);
    }
    if (!code)
        code = take_the_moment(sources, count, err);
    for (unsigned i = 0; i < count; i++)
        sqlite3_close(sources[i].holder);
    for (unsigned i = 0; i < count && !code; i++)
        code = copy_one(&sources[i], to, err);
    for (unsigned i = 0; i < count; i++)
        sqlite3_close(sources[i].reader);
    return code;
}
