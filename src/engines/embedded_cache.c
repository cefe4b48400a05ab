/*
 * The cache port inside the process: a table of entries in shards, each under its own lock, with expiry by monotonic time and the
 * least recently used entries given up beyond a bound of bytes. Publish and subscribe are embedded_subscribers.c.
 */
#include "base/clock.h"
#include "engines/cache_ops.h"
#include "engines/embedded_subscribers.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SHARDS 16
#define SHARD_BYTES_MAX (2 * 1024 * 1024)
#define ENTRY_OVERHEAD 96
#define BUCKETS_FIRST 64

struct entry {
    struct entry *chain;       /* of its bucket */
    struct entry *older, *newer;
    int64_t expiry_mono_ms;
    uint32_t hash, key_size, value_size;
    char bytes[]; /* key, NUL, value */
};

struct shard {
    pthread_mutex_t lock;
    struct entry **buckets;
    unsigned bucket_count, count;
    size_t bytes;
    struct entry *oldest, *newest;
};

struct embedded_cache {
    struct cache base; /* first */
    struct shard shards[SHARDS];
    struct embedded_subscribers subscribers;
};

/* ---- entries; the shard's lock is held ---- */

static uint32_t hash_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash ^ hash >> 15;
}

static struct entry **place_of(struct shard *shard, uint32_t hash, const char *key)
{
    struct entry **place = &shard->buckets[hash / SHARDS & (shard->bucket_count - 1)];
    while (*place && ((*place)->hash != hash || strcmp((*place)->bytes, key)))
        place = &(*place)->chain;
    return place;
}

static void unlink_age(struct shard *shard, struct entry *entry)
{
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
}

static void link_newest(struct shard *shard, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = entry;
    shard->newest = entry;
}

static size_t weight(const struct entry *entry)
{
    return ENTRY_OVERHEAD + entry->key_size + entry->value_size;
}

static void drop(struct shard *shard, struct entry **place)
{
    struct entry *entry = *place;
    *place = entry->chain;
    unlink_age(shard, entry);
    shard->count--;
    shard->bytes -= weight(entry);
    free(entry);
}

static void grow(struct shard *shard)
{
    unsigned count = shard->bucket_count * 2;
    struct entry **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return; /* longer chains, nothing worse */
    for (struct entry *entry = shard->oldest; entry; entry = entry->newer) {
        struct entry **place = &buckets[entry->hash / SHARDS & (count - 1)];
        entry->chain = *place;
        *place = entry;
    }
    free(shard->buckets);
    shard->buckets = buckets;
    shard->bucket_count = count;
}

/* The place of a living entry, else NULL. */
static struct entry **find(struct shard *shard, uint32_t hash, const char *key)
{
    struct entry **place = place_of(shard, hash, key);
    if (*place && (*place)->expiry_mono_ms <= clock_mono_ms())
        drop(shard, place);
    else if (*place)
        return place;
    return NULL;
}

static int put(struct shard *shard, uint32_t hash, const char *key, struct text value, int64_t expiry_mono_ms)
{
    size_t key_size = strlen(key);
    if (ENTRY_OVERHEAD + key_size + value.size > SHARD_BYTES_MAX / 4)
        return -E2BIG;
    struct entry *entry = malloc(sizeof *entry + key_size + 1 + value.size);
    if (!entry)
        return -EAGAIN;
    *entry = (struct entry){.expiry_mono_ms = expiry_mono_ms, .hash = hash, .key_size = (uint32_t)key_size, .value_size = (uint32_t)value.size};
    memcpy(entry->bytes, key, key_size + 1);
    if (value.size)
        memcpy(entry->bytes + key_size + 1, value.at, value.size);
    struct entry **place = place_of(shard, hash, key);
    if (*place)
        drop(shard, place);
    while (shard->oldest && shard->bytes + weight(entry) > SHARD_BYTES_MAX)
        drop(shard, place_of(shard, shard->oldest->hash, shard->oldest->bytes));
    if (shard->count >= shard->bucket_count)
        grow(shard);
    place = &shard->buckets[hash / SHARDS & (shard->bucket_count - 1)];
    entry->chain = *place;
    *place = entry;
    link_newest(shard, entry);
    shard->count++;
    shard->bytes += weight(entry);
    return 0;
}

/* ---- the port ---- */

static struct shard *shard_lock(struct cache *base, uint32_t hash)
{
    struct shard *shard = &((struct embedded_cache *)base)->shards[hash % SHARDS];
    pthread_mutex_lock(&shard->lock);
    return shard;
}

/* The value's bytes on the heap: the arena may end the fiber, which must not happen under the lock. */
static char *copy_value(struct shard *shard, struct entry *entry, size_t *ret_size)
{
    unlink_age(shard, entry);
    link_newest(shard, entry);
    *ret_size = entry->value_size;
    char *copy = malloc(entry->value_size + 1);
    if (copy)
        memcpy(copy, entry->bytes + entry->key_size + 1, entry->value_size);
    return copy;
}

static int embedded_get(struct cache *base, const char *key, struct arena *arena, struct text *ret_value)
{
    uint32_t hash = hash_of(key);
    struct shard *shard = shard_lock(base, hash);
    struct entry **place = find(shard, hash, key);
    size_t size = 0;
    char *copy = place ? copy_value(shard, *place, &size) : NULL;
    pthread_mutex_unlock(&shard->lock);
    if (!copy)
        return place ? -EAGAIN : -ENOENT;
    arena_defer(arena, free, copy);
    copy[size] = 0;
    *ret_value = (struct text){copy, size};
    return 0;
}

static int embedded_set(struct cache *base, const char *key, struct text value, int64_t ttl_ms)
{
    uint32_t hash = hash_of(key);
    struct shard *shard = shard_lock(base, hash);
    int code = put(shard, hash, key, value, clock_mono_ms() + ttl_ms);
    pthread_mutex_unlock(&shard->lock);
    return code;
}

static int embedded_remove(struct cache *base, const char *key)
{
    uint32_t hash = hash_of(key);
    struct shard *shard = shard_lock(base, hash);
    struct entry **place = find(shard, hash, key);
    if (place)
        drop(shard, place);
    pthread_mutex_unlock(&shard->lock);
    return 0;
}

static int embedded_cache_publish(struct cache *base, const struct cache_message *list, unsigned count)
{
    return embedded_subscribers_tell(&((struct embedded_cache *)base)->subscribers, list, count);
}

static int embedded_subscribe(struct cache *base, const struct cache_subscription *wanted)
{
    return embedded_subscribers_add(&((struct embedded_cache *)base)->subscribers, wanted);
}

/* ---- the whole ---- */

static void embedded_close(struct cache *base)
{
    struct embedded_cache *cache = (struct embedded_cache *)base;
    embedded_subscribers_fini(&cache->subscribers);
    for (unsigned i = 0; i < SHARDS; i++) {
        for (struct entry *entry; (entry = cache->shards[i].oldest);) {
            cache->shards[i].oldest = entry->newer;
            free(entry);
        }
        free(cache->shards[i].buckets);
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
    free(cache);
}

static bool embedded_is_up(const struct cache *cache)
{
    return true;
}

static int embedded_open(struct cache **ret_cache, struct err *err)
{
    struct embedded_cache *cache = calloc(1, sizeof *cache);
    bool whole = cache != NULL;
    if (whole) {
        cache->base.ops = &embedded_cache_ops;
        embedded_subscribers_init(&cache->subscribers);
    }
    for (unsigned i = 0; i < SHARDS && cache; i++) {
        pthread_mutex_init(&cache->shards[i].lock, NULL);
        cache->shards[i].bucket_count = BUCKETS_FIRST;
        cache->shards[i].buckets = calloc(BUCKETS_FIRST, sizeof(struct entry *));
        whole = whole && cache->shards[i].buckets;
    }
    if (!whole) {
        if (cache)
            embedded_close(&cache->base);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_cache = &cache->base;
    return 0;
}

const struct cache_ops embedded_cache_ops = {
    .scheme = "embedded",
    .open = embedded_open,
    .close = embedded_close,
    .is_up = embedded_is_up,
    .get = embedded_get,
    .set = embedded_set,
    .remove = embedded_remove,
    .publish = embedded_cache_publish,
    .subscribe = embedded_subscribe,
};
