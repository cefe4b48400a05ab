/* The SQL of what runs leave behind: asynchronous calls, hooks, logs. */
#include "functions/store.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INVOCATION_KEPT_MS (24LL * 3600 * 1000)
#define HOOK_KEPT_MS (8LL * 24 * 3600 * 1000) /* longer than every retry */
#define LOG_KEPT_MS (7LL * 24 * 3600 * 1000)

int functions_store_invocation_add_tx(struct transaction *tx, const struct stored_invocation *invocation)
{
    int error = sql_run(tx,
                        "INSERT INTO invocations (id, name, user_id, status, event, created_at) VALUES (?1, ?2, ?3, 'pending', ?4, ?5)",
                        "tttti", invocation->id, invocation->name, invocation->user_id, invocation->event, clock_wall_ms());
    return error < 0 ? error : 0;
}

static int invocation_body(struct transaction *tx, void *arg)
{
    struct stored_invocation *invocation = arg;
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "SELECT name, user_id, status, event, result, error, logs, duration_us, version FROM invocations WHERE id = ?1", "t",
                          invocation->id);
    if (error || !rows.count)
        return error ? error : -ENOENT;
    *invocation = (struct stored_invocation){
        .id = invocation->id,
        .name = rows_text(&rows, 0, 0),
        .user_id = rows_text(&rows, 0, 1),
        .status = rows_text(&rows, 0, 2),
        .event = rows_text(&rows, 0, 3),
        .result = rows_text(&rows, 0, 4),
        .error = rows_text(&rows, 0, 5),
        .logs = rows_text(&rows, 0, 6),
        .duration_us = rows_integer(&rows, 0, 7),
        .version = rows_integer(&rows, 0, 8),
    };
    invocation->finished = strcmp(invocation->status, "pending") != 0;
    return 0;
}

FIBER_FN int functions_store_invocation(struct database *database, const char *id, struct stored_invocation *ret_invocation)
{
    *ret_invocation = (struct stored_invocation){.id = id};
    return database_read(database, invocation_body, ret_invocation);
}

static int finish_body(struct transaction *tx, void *arg)
{
    const struct stored_invocation *done = arg;
    int error = sql_run(tx,
                        "UPDATE invocations SET status = ?2, result = ?3, error = ?4, logs = ?5, duration_us = ?6, version = ?7"
                        " WHERE id = ?1 AND status = 'pending'",
                        "tttttii", done->id, done->status, done->result, done->error, done->logs, done->duration_us, done->version);
    return error < 0 ? error : 0;
}

FIBER_FN int functions_store_invocation_finish(struct database *database, const struct stored_invocation *invocation)
{
    return database_transact(database, finish_body, (void *)(uintptr_t)invocation);
}

int functions_store_cause_add_tx(struct transaction *tx, const char *cause, const char *name)
{
    return sql_run(tx, "INSERT INTO hook_runs (cause, name, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (cause, name) DO NOTHING", "tti",
                   cause, name, clock_wall_ms());
}

struct hook {
    const char *cause, *name;
    struct outbox_entry *entry;
    bool done;
};

static int hook_body(struct transaction *tx, void *arg)
{
    struct hook *hook = arg;
    int added = functions_store_cause_add_tx(tx, hook->cause, hook->name);
    if (added <= 0 || !hook->entry)
        return added < 0 ? added : 0;
    return outbox_add(tx, hook->entry);
}

FIBER_FN int functions_store_hook_done(struct database *database, const char *cause, const char *name, struct outbox_entry *entry)
{
    struct hook hook = {.cause = cause, .name = name, .entry = entry};
    return database_transact(database, hook_body, &hook);
}

static int was_done_body(struct transaction *tx, void *arg)
{
    struct hook *hook = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT 1 FROM hook_runs WHERE cause = ?1 AND name = ?2", "tt", hook->cause, hook->name);
    hook->done = !error && rows.count;
    return error;
}

FIBER_FN int functions_store_hook_was_done(struct database *database, const char *cause, const char *name, bool *ret_done)
{
    struct hook hook = {.cause = cause, .name = name};
    int error = database_read(database, was_done_body, &hook);
    *ret_done = hook.done;
    return error;
}

struct logs {
    const struct stored_log *list;
    unsigned count;
};

static int logs_add_body(struct transaction *tx, void *arg)
{
    const struct logs *logs = arg;
    int error = 0;
    for (unsigned i = 0; i < logs->count && error >= 0; i++) {
        const struct stored_log *log = &logs->list[i];
        error = sql_run(tx,
                        "INSERT INTO function_logs (id, name, version, cause, status, duration_us, logs, error, created_at)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
                        "ttittitti", log->id, log->name, log->version, log->cause, log->status, log->duration_us, log->logs, log->error,
                        log->created_ms);
    }
    return error < 0 ? error : 0;
}

FIBER_FN int functions_store_logs_add(struct database *database, const struct stored_log *list, unsigned count)
{
    struct logs logs = {list, count};
    return database_transact(database, logs_add_body, &logs);
}

struct logs_query {
    const char *name, *before;
    int limit;
    struct stored_log *list;
    unsigned count;
};

static int logs_body(struct transaction *tx, void *arg)
{
    struct logs_query *query = arg;
    struct rows rows;
    int error = sql_query(tx, &rows,
                          "SELECT id, version, cause, status, duration_us, logs, error, created_at FROM function_logs"
                          " WHERE name = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                          "tti", query->name, query->before, (int64_t)query->limit);
    if (error)
        return error;
    query->count = rows.count;
    query->list = arena_alloc(transaction_arena(tx), (rows.count + 1) * sizeof(*query->list));
    for (unsigned i = 0; i < rows.count; i++) {
        struct stored_log *log = &query->list[i];
        snprintf(log->id, sizeof(log->id), "%s", rows_text(&rows, i, 0));
        log->version = rows_integer(&rows, i, 1);
        log->cause = rows_text(&rows, i, 2);
        log->status = rows_text(&rows, i, 3);
        log->duration_us = rows_integer(&rows, i, 4);
        log->logs = rows_text(&rows, i, 5);
        log->error = rows_text(&rows, i, 6);
        log->created_ms = rows_integer(&rows, i, 7);
    }
    return 0;
}

FIBER_FN int functions_store_logs(struct database *database, const char *name, const char *before, int limit, struct stored_log **ret_list,
                        unsigned *ret_count)
{
    struct logs_query query = {.name = name, .before = before, .limit = limit};
    int error = database_read(database, logs_body, &query);
    *ret_list = query.list;
    *ret_count = query.count;
    return error;
}

static int clean_body(struct transaction *tx, void *arg)
{
    int64_t now = clock_wall_ms();
    int error = sql_run(tx,
                        "DELETE FROM invocations WHERE id IN (SELECT id FROM invocations WHERE created_at < ?1 ORDER BY created_at LIMIT 500)",
                        "i", now - INVOCATION_KEPT_MS);
    if (error >= 0)
        error = sql_run(tx, "DELETE FROM hook_runs WHERE created_at < ?1", "i", now - HOOK_KEPT_MS);
    if (error >= 0)
        error = sql_run(tx,
                        "DELETE FROM function_logs WHERE id IN (SELECT id FROM function_logs WHERE created_at < ?1 LIMIT 500)"
                        " OR id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY name ORDER BY id DESC) AS place"
                        " FROM function_logs) AS placed WHERE place > 500 LIMIT 500)",
                        "i", now - LOG_KEPT_MS);
    return error < 0 ? error : 0;
}

FIBER_FN int functions_store_clean(struct database *database)
{
    return database_transact(database, clean_body, NULL);
}
