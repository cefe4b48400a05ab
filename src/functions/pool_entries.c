/* The functions that have pools, by name, and what is known of each. An entry is made once and stays. */
#include "functions/pool_parts.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024
/* So many runs the moving average reaches back. */
#define RUNS_MAX 8

static struct pool_entry *buckets[BUCKETS];

static unsigned bucket_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash % BUCKETS;
}

static struct pool_entry *find(const char *name)
{
    struct pool_entry *entry = buckets[bucket_of(name)];
    while (entry && strcmp(entry->name, name) != 0)
        entry = entry->next;
    return entry;
}

struct pool_entry *pool_entry_find(const char *name)
{
    pthread_mutex_lock(&pool_lock);
    struct pool_entry *entry = find(name);
    pthread_mutex_unlock(&pool_lock);
    return entry;
}

struct pool_entry *pool_entry_get(const char *name)
{
    pthread_mutex_lock(&pool_lock);
    struct pool_entry *entry = find(name);
    if (!entry && strlen(name) <= FUNCTION_NAME_MAX && (entry = calloc(1, sizeof(*entry)))) {
        memcpy(entry->name, name, strlen(name) + 1);
        entry->run_us = 1000; /* a guess, which counts as a run */
        entry->runs = 1;
        unsigned bucket = bucket_of(name);
        entry->next = buckets[bucket];
        buckets[bucket] = entry;
    }
    pthread_mutex_unlock(&pool_lock);
    return entry;
}

void pool_each(void (*visit)(void *arg, struct pool_entry *entry), void *arg)
{
    /* Entries are never freed, and new ones come in at the head: the lists may be walked without the lock. */
    for (unsigned i = 0; i < BUCKETS; i++) {
        pthread_mutex_lock(&pool_lock);
        struct pool_entry *entry = buckets[i];
        pthread_mutex_unlock(&pool_lock);
        for (; entry; entry = entry->next)
            visit(arg, entry);
    }
}

const char *pool_name(const struct pool_entry *entry)
{
    return entry->name;
}

void *pool_attachment(struct pool_entry *entry, void *(*make)(const char *name))
{
    void *attachment = atomic_load(&entry->attachment);
    if (!attachment) {
        attachment = make(entry->name);
        atomic_store(&entry->attachment, attachment);
    }
    return attachment;
}

struct version *pool_version(struct pool_entry *entry)
{
    pthread_mutex_lock(&pool_lock);
    struct version *version = version_ref(entry->version);
    pthread_mutex_unlock(&pool_lock);
    return version;
}

void pool_note_run(struct pool_entry *entry, int64_t run_us)
{
    pthread_mutex_lock(&pool_lock);
    if (entry->runs < RUNS_MAX)
        entry->runs++;
    entry->run_us += (run_us - entry->run_us) / (int64_t)entry->runs;
    pthread_mutex_unlock(&pool_lock);
}

struct pool_counts pool_counts_of(struct pool_entry *entry)
{
    pthread_mutex_lock(&pool_lock);
    struct pool_counts counts = {entry->processes, entry->busy, entry->waiting, entry->run_us};
    pthread_mutex_unlock(&pool_lock);
    return counts;
}
