/*
 * Each slot is one 64-bit word: 20 bits of the key's hash and 44 bits of its theoretical arrival time (TAT) in 1/64 ms of monotonic time,
 * which last for eight years of it. A key has four slots to be in; it takes over one whose time has passed, else the one that passes first. So the table never
 * grows, and under a flood of more keys than fit, the oldest debts are forgotten first.
 */
#include "gateway/rate_limit.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define BUCKETS 32768u
#define WAYS 4u
#define TAG_SHIFT 44
#define TICKS 64 /* a millisecond */
#define TIME_MASK ((UINT64_C(1) << TAG_SHIFT) - 1)

static uint64_t table[BUCKETS][WAYS];
static unsigned char secret[crypto_shorthash_KEYBYTES];

void rate_limit_init(const char *shared)
{
    static const unsigned char purpose[] = "purser rate limits";
    if (*shared)
        crypto_generichash(secret, sizeof secret, (const unsigned char *)shared, strlen(shared), purpose, sizeof purpose - 1);
    else
        randombytes_buf(secret, sizeof secret);
}

/* ---- what other gateways should hear of: a set of keys with counts, bounded; beyond it they simply do not hear ---- */

#define TAKEN_MAX 4096u

static struct taken {
    uint64_t hash;
    uint32_t count;
    int64_t interval, period; /* ticks */
} taken[TAKEN_MAX]; /* open addressing by hash */
static unsigned taken_count;
static uint64_t unsettled;
static bool settles;
static pthread_mutex_t taken_lock = PTHREAD_MUTEX_INITIALIZER;

static void note_taken(uint64_t hash, int64_t interval, int64_t period)
{
    if (!__atomic_load_n(&settles, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&taken_lock);
    for (unsigned k = 0; k < 8; k++) {
        struct taken *entry = &taken[(hash + k) % TAKEN_MAX];
        if (entry->count && entry->hash != hash)
            continue;
        taken_count += entry->count == 0;
        *entry = (struct taken){hash, entry->count + 1, interval, period};
        unsettled++;
        break;
    }
    pthread_mutex_unlock(&taken_lock);
}

uint64_t rate_limit_drain(struct buffer *out, unsigned keys_max)
{
    uint64_t requests = 0;
    __atomic_store_n(&settles, true, __ATOMIC_RELAXED);
    pthread_mutex_lock(&taken_lock);
    for (unsigned i = 0; taken_count && keys_max && i < TAKEN_MAX; i++) {
        struct taken *entry = &taken[i];
        if (!entry->count)
            continue;
        buffer_printf(out, "%" PRIx64 ":%" PRIx32 ":%" PRId64 ":%" PRId64 ",", entry->hash, entry->count, entry->interval, entry->period);
        requests += entry->count;
        entry->count = 0;
        taken_count--;
        keys_max--;
    }
    unsettled -= requests;
    pthread_mutex_unlock(&taken_lock);
    return requests;
}

uint64_t rate_limit_unsettled(void)
{
    pthread_mutex_lock(&taken_lock);
    uint64_t count = unsettled;
    pthread_mutex_unlock(&taken_lock);
    return count;
}

static uint64_t hash(const char *kind, const char *key)
{
    char said[320];
    uint64_t value;
    int size = snprintf(said, sizeof said, "%s %s", kind, key);
    crypto_shorthash((unsigned char *)&value, (unsigned char *)said, size < (int)sizeof said ? (size_t)size : sizeof said - 1, secret);
    return value;
}

/* Tag 0 marks a slot that was never used. */
static uint64_t tag_of(uint64_t value)
{
    uint64_t tag = value >> TAG_SHIFT;
    return tag ? tag : 1;
}

static uint64_t *slot_of(uint64_t value)
{
    uint64_t *bucket = table[value % BUCKETS], *oldest = &bucket[0];
    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t word = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);
        if (word >> TAG_SHIFT == tag_of(value))
            return &bucket[i];
        if ((word & TIME_MASK) < (__atomic_load_n(oldest, __ATOMIC_RELAXED) & TIME_MASK))
            oldest = &bucket[i];
    }
    return oldest;
}

static int64_t to_ms(int64_t ticks)
{
    return (ticks + TICKS - 1) / TICKS;
}

/* Debts of other gateways never exceed a period: what is over is an error of the settlement, not the client's. */
static void advance(uint64_t hash_value, int64_t count, int64_t interval, int64_t period, int64_t now_ms)
{
    uint64_t now = (uint64_t)now_ms * TICKS & TIME_MASK, *slot = slot_of(hash_value), word = __atomic_load_n(slot, __ATOMIC_RELAXED);
    for (;;) {
        bool ours = word >> TAG_SHIFT == tag_of(hash_value) && (word & TIME_MASK) > now;
        uint64_t tat = (ours ? word & TIME_MASK : now) + (uint64_t)(count * interval), latest = now + (uint64_t)period;
        uint64_t next = (tag_of(hash_value) << TAG_SHIFT) | (tat < latest ? tat : latest);
        if (__atomic_compare_exchange_n(slot, &word, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    }
}

void rate_limit_apply(struct text said, int64_t now_ms)
{
    struct text part;
    while (text_split(&said, ',', &part)) {
        char entry[96];
        uint64_t hash_value;
        uint32_t count;
        int64_t interval, period;
        if (!part.size || part.size >= sizeof entry)
            continue;
        memcpy(entry, part.at, part.size);
        entry[part.size] = '\0';
        if (sscanf(entry, "%" SCNx64 ":%" SCNx32 ":%" SCNd64 ":%" SCNd64, &hash_value, &count, &interval, &period) == 4 && count &&
            count <= 1000000 && interval > 0 && interval <= period && period <= 86400000 * (int64_t)TICKS)
            advance(hash_value, count, interval, period, now_ms);
    }
}

/* The interval is rounded down and the period is a multiple of it, so that exactly `count` fit. */
struct rate_answer rate_limit(const char *kind, const char *key, struct rate rate, int64_t now_ms, bool take)
{
    if (rate.count <= 0)
        return (struct rate_answer){.allowed = true};
    uint64_t value = hash(kind, key), now = (uint64_t)now_ms * TICKS & TIME_MASK;
    uint64_t *slot = slot_of(value), word = __atomic_load_n(slot, __ATOMIC_RELAXED);
    int64_t interval = rate.period_ms * TICKS / rate.count, period;
    if (!interval)
        interval = 1;
    period = interval * rate.count;
    for (;;) {
        bool mine = word >> TAG_SHIFT == tag_of(value) && (word & TIME_MASK) > now;
        int64_t tat = mine ? (int64_t)(word & TIME_MASK) : (int64_t)now;
        int64_t debt = tat - (int64_t)now, room = period - debt;
        struct rate_answer answer = {.allowed = room >= interval};
        if (!answer.allowed) {
            answer.reset_ms = to_ms(debt);
            answer.retry_after_ms = to_ms(interval - room);
            return answer;
        }
        answer.remaining = room / interval - (take ? 1 : 0);
        answer.reset_ms = to_ms(debt + (take ? interval : 0));
        uint64_t next = (tag_of(value) << TAG_SHIFT) | ((uint64_t)(tat + interval) & TIME_MASK);
        if (!take)
            return answer;
        if (__atomic_compare_exchange_n(slot, &word, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            note_taken(value, interval, period);
            return answer;
        }
    }
}

void rate_limit_address_key(const char *address, char ret_key[64])
{
    struct in6_addr six;
    if (inet_pton(AF_INET6, address, &six) != 1) {
        snprintf(ret_key, 64, "%s", address);
        return;
    }
    if (IN6_IS_ADDR_V4MAPPED(&six))
        snprintf(ret_key, 64, "%u.%u.%u.%u", six.s6_addr[12], six.s6_addr[13], six.s6_addr[14], six.s6_addr[15]);
    else
        snprintf(ret_key, 64, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", six.s6_addr[0], six.s6_addr[1], six.s6_addr[2], six.s6_addr[3],
                 six.s6_addr[4], six.s6_addr[5], six.s6_addr[6], six.s6_addr[7]);
}
