/*
 * The registry in memory holds no sources and no history: name, limits and who may call. Changes made here are applied at once and looked at
 * once more by the next beat; those of other instances are noticed by the revision, which is asked for before calls and jobs where the database is
 * shared, and twice a second.
 *
 * News come from several event loops and are overtaken by others on the way, so each says at which revision it was so. Under one mutex it is
 * compared with what is known of that function and with the revision up to which everything is known: a function that is unknown because it was
 * deleted meanwhile does not come back.
 */
#include "functions/registry.h"

#include "functions/builtin_sources.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t known_revision; /* everything is known that was so then */
static atomic_uint changes;

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

/* Takes the reference over. */
static void take_over(struct pool_entry *entry, struct version *version, int64_t revision)
{
    pthread_mutex_lock(&lock);
    bool news = revision > known_revision;
    if (news)
        pool_set_version(entry, version, revision);
    pthread_mutex_unlock(&lock);
    if (!news)
        version_unref(version);
}

void registry_note(const char *name, struct version *version, int64_t revision)
{
    struct pool_entry *entry = pool_entry_get(name);
    atomic_fetch_add(&changes, 1);
    if (entry)
        take_over(entry, version, revision);
    else
        version_unref(version);
}

void registry_note_row(const char *name, const struct stored_version *row)
{
    struct version *version = row->name ? registry_version_of(row) : NULL;
    if (row->name && !version)
        atomic_fetch_add(&changes, 1);
    else
        registry_note(name, version, row->revision);
}

unsigned registry_changes(void)
{
    return atomic_load(&changes);
}

static int load_row(const struct stored_version *row)
{
    struct pool_entry *entry = pool_entry_get(row->name);
    struct version *version = entry ? registry_version_of(row) : NULL;
    if (!version)
        return -ENOMEM;
    take_over(entry, version, row->revision);
    return 0;
}

/* Whatever all pages had is known of that revision or a later one by now, so this touches only what the table does not have any more. */
static void drop_missing(void *revision, struct pool_entry *entry)
{
    take_over(entry, NULL, *(const int64_t *)revision);
}

/* All that was so at `revision`, and some that came later. */
static FIBER_FN int load_all(struct database *database, int64_t revision)
{
    struct stored_list page;
    const char *after = "";
    do {
        int error = functions_store_list(database, after, "", PAGE, &page);
        for (unsigned i = 0; !error && i < page.count; i++)
            error = load_row(&page.at[i]);
        if (error)
            return error;
        if (page.count)
            after = page.at[page.count - 1].name;
    } while (page.count == PAGE);
    pool_each(drop_missing, &revision);
    return 0;
}

static int64_t known(void)
{
    pthread_mutex_lock(&lock);
    int64_t revision = known_revision;
    pthread_mutex_unlock(&lock);
    return revision;
}

FIBER_FN int registry_refresh(struct database *database)
{
    int64_t revision = 0;
    int error = functions_store_revision(database, &revision);
    if (error || revision <= known())
        return error;
    error = load_all(database, revision);
    if (error)
        return error;
    pthread_mutex_lock(&lock);
    if (revision > known_revision)
        known_revision = revision;
    pthread_mutex_unlock(&lock);
    return 0;
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
