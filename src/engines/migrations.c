/*
 * Migrations: the scripts of a service that its schema has not seen, in the order of their numbers, in one transaction with their rows in
 * schema_migrations. The tables of messaging (001 to 009) are part of every service's schema. A schema that a newer
 * version has changed is refused.
 */
#include "base/clock.h"
#include "engines/database_ops.h"
#include "engines/schema_files.h"

#include <errno.h>

#define START_PATIENCE_MS 30000 /* for a database that is still starting */

struct migration {
    const char *service, *engine;
    struct err *err;
};

static const char create_table[] = "CREATE TABLE IF NOT EXISTS schema_migrations (service TEXT NOT NULL, number INTEGER NOT NULL, "
                                   "name TEXT NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (service, number))";

static const struct schema_file *file_of(const struct migration *migration, const char *service, int64_t number)
{
    for (size_t i = 0; i < schema_file_count; i++) {
        const struct schema_file *file = &schema_files[i];
        if (file->number == number && !strcmp(file->service, service) && !strcmp(file->engine, migration->engine))
            return file;
    }
    return NULL;
}

static bool is_applied(const struct rows *applied, const struct schema_file *file)
{
    for (unsigned i = 0; i < applied->count; i++)
        if (rows_integer(applied, i, 1) == file->number && !strcmp(rows_text(applied, i, 0), file->service))
            return true;
    return false;
}

static int apply_missing(struct transaction *tx, const struct migration *migration, const char *service, const struct rows *applied)
{
    for (size_t i = 0; i < schema_file_count; i++) {
        const struct schema_file *file = &schema_files[i];
        if (strcmp(file->service, service) || strcmp(file->engine, migration->engine) || is_applied(applied, file))
            continue;
        int code = tx->database->ops->script(tx, file->sql, migration->err);
        if (code == 0)
            code = sql_run(tx, "INSERT INTO schema_migrations (service, number, name, applied_at) VALUES (?1, ?2, ?3, ?4)", "titi",
                           file->service, (int64_t)file->number, file->name, clock_wall_ms());
        if (code < 0)
            return err_prefix(migration->err, "migration %s/%s", file->service, file->name), code;
    }
    return 0;
}

static int migrate(struct transaction *tx, void *arg)
{
    const struct migration *migration = arg;
    struct rows applied;
    int code = tx->database->ops->migration_lock(tx);
    if (code == 0)
        code = tx->database->ops->script(tx, create_table, migration->err);
    if (code == 0)
        code = sql_query(tx, &applied, "SELECT service, number, name FROM schema_migrations", "");
    if (code < 0)
        return code;
    for (unsigned i = 0; i < applied.count; i++)
        if (!file_of(migration, rows_text(&applied, i, 0), rows_integer(&applied, i, 1)))
            return err_set(migration->err, -EINVAL, "the data of %s were written by a newer version of purser (migration %s)",
                           migration->service, rows_text(&applied, i, 2));
    code = apply_missing(tx, migration, "messaging", &applied);
    return code < 0 ? code : apply_missing(tx, migration, migration->service, &applied);
}

int database_migrate(struct database *database, const char *service, struct err *err)
{
    struct err own = {0};
    struct migration migration = {service, database_is_postgres(database) ? "postgres" : "sqlite", &own};
    int64_t until = clock_mono_ms() + START_PATIENCE_MS;
    int code;
    while ((code = database_transact(database, migrate, &migration)) == -EAGAIN && clock_mono_ms() < until)
        if (fiber_sleep(250) < 0)
            break;
    if (code == 0)
        return 0;
    if (!own.message[0])
        err_set(&own, code, "%s", code == -EAGAIN ? "it is away, or busy for too long" : strerror(-code));
    return err_set(err, code, "database of %s: %s", service, own.message);
}
