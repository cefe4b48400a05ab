/*
 * The registry's SQL. A change of a function locks its row first, so changes of one function have an order; the last thing it does is to count the
 * registry's one revision up, so all changes have an order. What is read says the revision of the same snapshot, which takes one statement.
 */
#include "functions/store.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <errno.h>
#include <string.h>

#define COLUMNS                                                                                                                       \
    " f.name, v.id, v.version, v.access, v.timeout_ms, v.memory_mb, v.concurrency, v.reuse, v.triggers, v.settings, v.created_at,"     \
    " f.created_at, f.updated_at, f.builtin, v.builtin, v.version = f.version, v.created_by,"                                          \
    " (SELECT revision FROM function_registry WHERE id = 1)"
#define FROM " FROM functions f JOIN function_versions v ON v.name = f.name"
#define SOURCE_COLUMN 18

static bool truth(const struct rows *rows, unsigned row, unsigned column)
{
    const char *text = rows_text(rows, row, column);
    return text && (text[0] == 't' || text[0] == '1');
}

static void read_version(const struct rows *rows, unsigned row, struct stored_version *ret_version)
{
    *ret_version = (struct stored_version){
        .name = rows_text(rows, row, 0),
        .id = rows_text(rows, row, 1),
        .number = rows_integer(rows, row, 2),
        .access = rows_text(rows, row, 3),
        .timeout_ms = rows_integer(rows, row, 4),
        .memory_mb = rows_integer(rows, row, 5),
        .concurrency = rows_integer(rows, row, 6),
        .reuse = rows_integer(rows, row, 7) != 0,
        .triggers = rows_text(rows, row, 8),
        .settings = rows_text(rows, row, 9),
        .created_ms = rows_integer(rows, row, 10),
        .function_created_ms = rows_integer(rows, row, 11),
        .function_updated_ms = rows_integer(rows, row, 12),
        .builtin = rows_integer(rows, row, 13) != 0,
        .shipped = rows_integer(rows, row, 14) != 0,
        .is_current = truth(rows, row, 15),
        .created_by = rows_text(rows, row, 16),
        .revision = rows_integer(rows, row, 17),
        .source = rows->columns > SOURCE_COLUMN ? rows_text(rows, row, SOURCE_COLUMN) : NULL,
    };
}

int functions_store_get_tx(struct transaction *tx, const char *name, struct stored_version *ret_version)
{
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT" COLUMNS ", v.source" FROM " AND v.version = f.version WHERE f.name = ?1", "t", name);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    read_version(&rows, 0, ret_version);
    return 0;
}

struct get {
    const char *name;
    struct stored_version *version;
};

static int get_body(struct transaction *tx, void *arg)
{
    struct get *get = arg;
    return functions_store_get_tx(tx, get->name, get->version);
}

FIBER_FN int functions_store_get(struct database *database, const char *name, struct stored_version *ret_version)
{
    struct get get = {name, ret_version};
    return database_read(database, get_body, &get);
}

struct source {
    const char *version_id, *text;
};

static int source_body(struct transaction *tx, void *arg)
{
    struct source *source = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT source FROM function_versions WHERE id = ?1", "t", source->version_id);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    source->text = rows_text(&rows, 0, 0);
    return 0;
}

FIBER_FN int functions_store_source(struct database *database, const char *version_id, const char **ret_source)
{
    struct source source = {version_id, NULL};
    int error = database_read(database, source_body, &source);
    if (!error)
        *ret_source = source.text;
    return error;
}

struct list {
    const char *name, *hidden;
    int64_t before;
    int limit;
    struct stored_list *ret_list;
};

static void read_list(struct transaction *tx, const struct rows *rows, struct stored_list *ret_list)
{
    ret_list->count = rows->count;
    ret_list->at = arena_alloc(transaction_arena(tx), (rows->count + 1) * sizeof(*ret_list->at));
    for (unsigned i = 0; i < rows->count; i++)
        read_version(rows, i, &ret_list->at[i]);
}

static int list_body(struct transaction *tx, void *arg)
{
    struct list *list = arg;
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "SELECT" COLUMNS FROM " AND v.version = f.version WHERE f.name > ?1 AND v.access <> ?2 ORDER BY f.name LIMIT ?3",
                          "tti", list->name, list->hidden, (int64_t)list->limit);
    if (!error)
        read_list(tx, &rows, list->ret_list);
    return error;
}

FIBER_FN int functions_store_list(struct database *database, const char *after, const char *hidden, int limit, struct stored_list *ret_list)
{
    struct list list = {.name = after, .hidden = hidden, .limit = limit, .ret_list = ret_list};
    return database_read(database, list_body, &list);
}

static int versions_body(struct transaction *tx, void *arg)
{
    struct list *list = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT 1 FROM functions WHERE name = ?1", "t", list->name);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    error = sql_query(tx, &rows,
                      "SELECT" COLUMNS ", v.source" FROM " WHERE f.name = ?1 AND v.version < ?2 ORDER BY v.version DESC LIMIT ?3", "tii",
                      list->name, list->before ? list->before : INT64_MAX, (int64_t)list->limit);
    if (!error)
        read_list(tx, &rows, list->ret_list);
    return error;
}

FIBER_FN int functions_store_versions(struct database *database, const char *name, int64_t before, int limit, struct stored_list *ret_list)
{
    struct list list = {.name = name, .before = before, .limit = limit, .ret_list = ret_list};
    return database_read(database, versions_body, &list);
}

static int revision_body(struct transaction *tx, void *arg)
{
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT revision FROM function_registry WHERE id = 1", "");
    if (!error && rows.count)
        *(int64_t *)arg = rows_integer(&rows, 0, 0);
    return error;
}

FIBER_FN int functions_store_revision(struct database *database, int64_t *ret_revision)
{
    return database_read(database, revision_body, ret_revision);
}

static int count_revision(struct transaction *tx, struct stored_version *ret_version)
{
    struct rows rows;
    int error = sql_query(tx, &rows, "UPDATE function_registry SET revision = revision + 1 WHERE id = 1 RETURNING revision", "");
    if (!error)
        ret_version->revision = rows_integer(&rows, 0, 0);
    return error;
}

static int replace_triggers(struct transaction *tx, const struct stored_version *version)
{
    int error = sql_run(tx, "DELETE FROM function_triggers WHERE name = ?1", "t", version->name);
    json_t *triggers = NULL, *trigger;
    if (error >= 0)
        error = json_parse(transaction_arena(tx), text_of(version->triggers), &triggers, NULL);
    size_t index;
    json_array_foreach(triggers, index, trigger)
    {
        if (error >= 0)
            error = sql_run(tx, "INSERT INTO function_triggers (name, position, trigger) VALUES (?1, ?2, ?3)", "tit", version->name,
                            (int64_t)index, json_string_value(trigger));
    }
    return error < 0 ? error : 0;
}

static int insert_version(struct transaction *tx, struct stored_version *version)
{
    char id[UUID_SIZE];
    uuid_make(id);
    version->id = arena_strdup(transaction_arena(tx), id);
    version->is_current = true;
    int error = sql_run(tx,
                        "INSERT INTO function_versions (name, version, id, source, access, timeout_ms, memory_mb, concurrency, reuse, triggers,"
                        " settings, builtin, created_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                        "titttiiiittiti", version->name, version->number, version->id, version->source, version->access, version->timeout_ms,
                        version->memory_mb, version->concurrency, (int64_t)version->reuse, version->triggers, version->settings,
                        (int64_t)version->shipped, version->created_by, version->created_ms);
    if (error >= 0)
        error = replace_triggers(tx, version);
    return error < 0 ? error : count_revision(tx, version);
}

int functions_store_create_tx(struct transaction *tx, struct stored_version *version)
{
    version->number = 1;
    version->created_ms = version->function_created_ms = version->function_updated_ms = clock_wall_ms();
    int error = sql_run(tx,
                        "INSERT INTO functions (name, version, last_version, builtin, created_at, updated_at) VALUES (?1, 1, 1, ?2, ?3, ?3)",
                        "tii", version->name, (int64_t)version->builtin, version->created_ms);
    return error < 0 ? error : insert_version(tx, version);
}

int functions_store_update_tx(struct transaction *tx, struct stored_version *version)
{
    struct rows rows;
    version->created_ms = version->function_updated_ms = clock_wall_ms();
    int error = sql_query(tx, &rows,
                          "UPDATE functions SET last_version = last_version + 1, version = last_version + 1, updated_at = ?2 WHERE name = ?1"
                          " RETURNING version, created_at, builtin",
                          "ti", version->name, version->created_ms);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    version->number = rows_integer(&rows, 0, 0);
    version->function_created_ms = rows_integer(&rows, 0, 1);
    version->builtin = rows_integer(&rows, 0, 2) != 0;
    return insert_version(tx, version);
}

static int make_current(struct transaction *tx, const char *name, int64_t number, struct stored_version *ret_version)
{
    int changed = sql_run(tx, "UPDATE functions SET version = ?2, updated_at = ?3 WHERE name = ?1", "tii", name, number, clock_wall_ms());
    int error = changed < 0 ? changed : functions_store_get_tx(tx, name, ret_version);
    if (!error)
        error = replace_triggers(tx, ret_version);
    return error ? error : count_revision(tx, ret_version);
}

int functions_store_rollback_tx(struct transaction *tx, const char *name, int64_t number, struct stored_version *ret_version)
{
    struct rows rows;
    int error = sql_query_locked(tx, &rows, "SELECT name FROM functions WHERE name = ?1", "t", name);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    error = sql_query(tx, &rows, "SELECT version FROM function_versions WHERE name = ?1 AND version = ?2", "ti", name, number);
    if (error || !rows.count)
        return error ? error : -ESRCH;
    return make_current(tx, name, number, ret_version);
}

int functions_store_delete_tx(struct transaction *tx, const char *name, struct stored_version *ret_version)
{
    struct rows rows;
    *ret_version = (struct stored_version){0};
    int error = sql_query_locked(tx, &rows, "SELECT builtin, version FROM functions WHERE name = ?1", "t", name);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    if (rows_integer(&rows, 0, 0)) {
        int64_t current = rows_integer(&rows, 0, 1);
        error = sql_query(tx, &rows, "SELECT MAX(version) FROM function_versions WHERE name = ?1 AND builtin = 1", "t", name);
        if (error)
            return error;
        int64_t shipped = rows_integer(&rows, 0, 0);
        return shipped == current ? -EPERM : make_current(tx, name, shipped, ret_version);
    }
    error = sql_run(tx, "DELETE FROM function_triggers WHERE name = ?1", "t", name);
    if (error >= 0)
        error = sql_run(tx, "DELETE FROM function_versions WHERE name = ?1", "t", name);
    if (error >= 0)
        error = sql_run(tx, "DELETE FROM function_logs WHERE name = ?1", "t", name);
    if (error >= 0)
        error = sql_run(tx, "DELETE FROM functions WHERE name = ?1", "t", name);
    return error < 0 ? error : count_revision(tx, ret_version);
}

int functions_store_ship_tx(struct transaction *tx, struct stored_version *version)
{
    struct rows rows;
    int error = sql_query_locked(tx, &rows, "SELECT version FROM functions WHERE name = ?1", "t", version->name);
    version->builtin = version->shipped = true;
    if (error)
        return error;
    if (!rows.count)
        return functions_store_create_tx(tx, version);
    int64_t current = rows_integer(&rows, 0, 0);
    error = sql_query(tx, &rows,
                      "SELECT version, source FROM function_versions WHERE name = ?1 AND builtin = 1 ORDER BY version DESC LIMIT 1", "t",
                      version->name);
    if (error || (rows.count && !strcmp(rows_text(&rows, 0, 1), version->source)))
        return error;
    /* A newer release ships another source: it takes over unless somebody has put their own in its place. */
    bool overridden = !rows.count || rows_integer(&rows, 0, 0) != current;
    int changed = sql_run(tx, "UPDATE functions SET builtin = 1 WHERE name = ?1", "t", version->name);
    error = changed < 0 ? changed : functions_store_update_tx(tx, version);
    if (!error && overridden)
        error = make_current(tx, version->name, current, version);
    return error;
}

int functions_store_triggers_tx(struct transaction *tx, struct rows *ret_rows)
{
    return sql_query(tx, ret_rows,
                     "SELECT t.name, t.trigger, r.revision FROM function_registry r LEFT JOIN function_triggers t ON 1 = 1 WHERE r.id = 1"
                     " ORDER BY t.name, t.position",
                     "");
}
