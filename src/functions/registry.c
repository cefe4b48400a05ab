/*
 * The registry in memory holds no sources and no history: name, limits and who may call. Changes made here are applied at once;
 * those of other instances are noticed by the revision, which is asked for before calls and jobs where the database is shared, and twice
 * a second.
 */
#include "functions/registry.h"

#include "base/log.h"
#include "functions/builtin_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 200

static int64_t known_revision;

struct version *registry_version_of(const struct stored_version *stored)
{
    struct version *version = calloc(1, sizeof(*version));
    char *settings = strdup(stored->settings);
    if (!version || !settings) {
        free(version);
        free(settings);
        return NULL;
    }
    atomic_init(&version->users, 1);
    memcpy(version->id, stored->id, strnlen(stored->id, sizeof(version->id) - 1));
    memcpy(version->access, stored->access, strnlen(stored->access, sizeof(version->access) - 1));
    version->number = stored->number;
    version->timeout_ms = stored->timeout_ms;
    version->memory_mb = stored->memory_mb;
    version->concurrency = stored->concurrency;
    version->reuse = stored->reuse;
    version->settings = settings;
    return version;
}

void registry_apply(const char *name, const struct stored_version *version)
{
    struct pool_entry *entry = pool_entry_get(name);
    if (!entry)
        return;
    struct version *now = pool_version(entry);
    bool same = now && version->name && !strcmp(now->id, version->id);
    version_unref(now);
    if (!same)
        pool_set_version(entry, version->name ? registry_version_of(version) : NULL);
}

/* Entries that the table does not have any more. */
struct sweep {
    const char **names;
    unsigned count;
};

static void drop_missing(void *arg, struct pool_entry *entry)
{
    const struct sweep *sweep = arg;
    for (unsigned i = 0; i < sweep->count; i++)
        if (!strcmp(sweep->names[i], pool_name(entry)))
            return;
    pool_set_version(entry, NULL);
}

static FIBER_FN int load_all(struct database *database)
{
    struct sweep sweep = {0};
    unsigned room = 0;
    const char *after = "";
    for (;;) {
        struct stored_list page;
        int error = functions_store_list(database, after, PAGE, &page);
        if (error)
            return error;
        if (sweep.count + page.count > room) {
            room = (sweep.count + page.count) * 2;
            const char **names = arena_alloc(fiber_arena(), room * sizeof(*names));
            if (sweep.count)
                memcpy(names, sweep.names, sweep.count * sizeof(*names));
            sweep.names = names;
        }
        for (unsigned i = 0; i < page.count; i++) {
            registry_apply(page.at[i].name, &page.at[i]);
            sweep.names[sweep.count++] = page.at[i].name;
        }
        if (page.count < PAGE)
            break;
        after = page.at[page.count - 1].name;
    }
    pool_each(drop_missing, &sweep);
    return 0;
}

FIBER_FN int registry_refresh(struct database *database)
{
    int64_t revision = 0;
    int error = functions_store_revision(database, &revision);
    if (error || revision == known_revision)
        return error;
    error = load_all(database);
    if (!error)
        known_revision = revision;
    return error;
}

static int ship_body(struct transaction *tx, void *unused)
{
    for (const struct builtin_source *builtin = builtin_sources; builtin->name; builtin++) {
        struct stored_version version = {
            .name = builtin->name,
            .source = builtin->source,
            .access = "user",
            .timeout_ms = 5000,
            .memory_mb = 64,
            .concurrency = 4,
            .triggers = builtin->triggers,
            .settings = "{}",
        };
        int error = functions_store_ship_tx(tx, &version);
        if (error)
            return error;
    }
    return 0;
}

FIBER_FN int registry_start(struct database *database, struct err *err)
{
    int error = database_transact(database, ship_body, NULL);
    if (!error)
        error = registry_refresh(database);
    return error ? err_set(err, error, "the functions' tables cannot be read: %s", strerror(-error)) : 0;
}
