/* A hash set with chains under one lock; when nothing is revoked, a look costs one atomic read. */
#include "gateway/revocations.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u

struct revocation {
    struct revocation *next;
    int64_t until_wall_ms;
    char session_id[];
};

static struct revocation *buckets[BUCKETS];
static unsigned count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* FNV-1a; ids are our own UUIDs, so nobody chooses collisions. */
static struct revocation **bucket_of(const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return &buckets[hash % BUCKETS];
}

static struct revocation *find(const char *session_id)
{
    for (struct revocation *at = *bucket_of(session_id); at; at = at->next)
        if (strcmp(at->session_id, session_id) == 0)
            return at;
    return NULL;
}

bool revocations_add(const char *session_id, int64_t until_wall_ms)
{
    bool added = false;
    pthread_mutex_lock(&lock);
    if (!find(session_id)) {
        size_t size = strlen(session_id) + 1;
        struct revocation *entry = malloc(sizeof *entry + size);
        if (entry) {
            struct revocation **bucket = bucket_of(session_id);
            memcpy(entry->session_id, session_id, size);
            entry->until_wall_ms = until_wall_ms;
            entry->next = *bucket;
            *bucket = entry;
            __atomic_add_fetch(&count, 1, __ATOMIC_RELEASE);
            added = true;
        }
    }
    pthread_mutex_unlock(&lock);
    return added;
}

bool revocations_has(const char *session_id)
{
    if (!__atomic_load_n(&count, __ATOMIC_ACQUIRE))
        return false;
    pthread_mutex_lock(&lock);
    bool has = find(session_id) != NULL;
    pthread_mutex_unlock(&lock);
    return has;
}

void revocations_sweep(int64_t now_wall_ms)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct revocation **at = &buckets[i]; *at;) {
            struct revocation *entry = *at;
            if (entry->until_wall_ms > now_wall_ms) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free(entry);
            __atomic_sub_fetch(&count, 1, __ATOMIC_RELEASE);
        }
    pthread_mutex_unlock(&lock);
}
