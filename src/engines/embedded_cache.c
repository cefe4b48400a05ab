/*
 * The cache port inside the process: a table of entries in shards, each under its own lock, with expiry by monotonic time and the
 * least recently used entries given up beyond a bound of bytes; and publish/subscribe by calls posted to the subscribers'
 * workers, bounded in what may be under way.
 */
#include "base/clock.h"
#include "engines/cache_ops.h"
#include "runtime/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SHARDS 16
#define SHARD_BYTES_MAX (2 * 1024 * 1024)
#define ENTRY_OVERHEAD 96
#define BUCKETS_FIRST 64
#define MESSAGES_MAX 10000 /* under way to workers */

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

struct subscriber {
    struct cache_subscription wanted;
    char *pattern;
    struct worker *worker;
    struct subscriber *next;
};

struct embedded_cache {
    struct cache base; /* first */
    struct shard shards[SHARDS];
    pthread_mutex_t lock; /* of the list, which only grows */
    struct subscriber *subscribers;
    _Atomic unsigned under_way;
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

/* ---- publish and subscribe ---- */

struct parcel {
    struct embedded_cache *cache;
    const struct subscriber *subscriber;
    size_t channel_size, size;
    char bytes[]; /* channel, NUL, message, NUL */
};

static void hand_over(void *arg)
{
    struct parcel *parcel = arg;
    const struct cache_subscription *wanted = &parcel->subscriber->wanted;
    wanted->message(wanted->context, parcel->bytes, (struct text){parcel->bytes + parcel->channel_size + 1, parcel->size});
    atomic_fetch_sub(&parcel->cache->under_way, 1);
    free(parcel);
}

static void send_to(struct embedded_cache *cache, const struct subscriber *subscriber, const char *channel, struct text message)
{
    size_t channel_size = strlen(channel);
    struct parcel *parcel = malloc(sizeof *parcel + channel_size + message.size + 2);
    if (!parcel)
        return;
    *parcel = (struct parcel){cache, subscriber, channel_size, message.size};
    memcpy(parcel->bytes, channel, channel_size + 1);
    memcpy(parcel->bytes + channel_size + 1, message.at, message.size);
    parcel->bytes[channel_size + 1 + message.size] = 0;
    atomic_fetch_add(&cache->under_way, 1);
    if (worker_post(subscriber->worker, hand_over, parcel) < 0) {
        atomic_fetch_sub(&cache->under_way, 1);
        free(parcel);
    }
}

static int embedded_cache_publish(struct cache *base, const struct cache_message *list, unsigned count)
{
    struct embedded_cache *cache = (struct embedded_cache *)base;
    pthread_mutex_lock(&cache->lock);
    struct subscriber *first = cache->subscribers;
    pthread_mutex_unlock(&cache->lock);
    for (unsigned i = 0; i < count; i++) {
        if (atomic_load(&cache->under_way) >= MESSAGES_MAX)
            return -EAGAIN;
        for (struct subscriber *subscriber = first; subscriber; subscriber = subscriber->next)
            if (cache_pattern_covers(subscriber->pattern, list[i].channel))
                send_to(cache, subscriber, list[i].channel, list[i].text);
    }
    return 0;
}

static int embedded_subscribe(struct cache *base, const struct cache_subscription *wanted)
{
    struct embedded_cache *cache = (struct embedded_cache *)base;
    struct subscriber *subscriber = calloc(1, sizeof *subscriber);
    if (!subscriber || !(subscriber->pattern = strdup(wanted->pattern))) {
        free(subscriber);
        return -ENOMEM;
    }
    subscriber->wanted = *wanted;
    subscriber->worker = worker_self();
    pthread_mutex_lock(&cache->lock);
    subscriber->next = cache->subscribers;
    cache->subscribers = subscriber;
    pthread_mutex_unlock(&cache->lock);
    return 0;
}

/* ---- the whole ---- */

static void embedded_close(struct cache *base)
{
    struct embedded_cache *cache = (struct embedded_cache *)base;
    while (atomic_load(&cache->under_way) && fiber_self())
        fiber_yield();
    for (unsigned i = 0; i < SHARDS; i++) {
        for (struct entry *entry; (entry = cache->shards[i].oldest);) {
            cache->shards[i].oldest = entry->newer;
            free(entry);
        }
        free(cache->shards[i].buckets);
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
    for (struct subscriber *subscriber; (subscriber = cache->subscribers);) {
        cache->subscribers = subscriber->next;
        free(subscriber->pattern);
        free(subscriber);
    }
    pthread_mutex_destroy(&cache->lock);
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
        pthread_mutex_init(&cache->lock, NULL);
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
