/*
 * A ring of seconds, and two halves of a minute with a histogram each. Whoever is first to note in a new second takes its slot and clears
 * it; a count that another thread adds in that moment may be lost, which a rate can bear. Nothing runs while nobody notes or reads.
 */
#include "base/recent.h"

#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16 /* seconds; more than the window, so that no slot of it is being cleared */
#define WINDOW_S 10
#define SPAN_MS 30000
#define OCTAVES 20 /* of microseconds, from 64 µs: the last is above half a minute */
#define STEPS 4    /* of an octave: a time is known to a fifth */
#define SMALLEST_BIT 6
#define BUCKETS (OCTAVES * STEPS)
#define MOST 128

struct recent {
    char *name;
    struct {
        int64_t second;
        uint32_t count, failed;
    } slots[SLOTS];
    struct {
        int64_t number; /* which half minute */
        uint32_t buckets[BUCKETS];
    } spans[2];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct recent *lists[RECENT_KINDS][MOST];
static unsigned counts[RECENT_KINDS];

#define get(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define set(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)
#define add(field, n) __atomic_fetch_add(&(field), n, __ATOMIC_RELAXED)

static struct recent *find(enum recent_kind kind, const char *name)
{
    unsigned count = __atomic_load_n(&counts[kind], __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(lists[kind][i]->name, name) == 0)
            return lists[kind][i];
    return NULL;
}

static struct recent *make(enum recent_kind kind, const char *name)
{
    unsigned count = counts[kind];
    if (count == MOST)
        return NULL;
    struct recent *recent = memory_get_zeroed(sizeof *recent);
    if (!recent || !(recent->name = strdup(name))) {
        free(recent);
        return NULL;
    }
    lists[kind][count] = recent;
    __atomic_store_n(&counts[kind], count + 1, __ATOMIC_RELEASE);
    return recent;
}

struct recent *recent_get(enum recent_kind kind, const char *name)
{
    struct recent *recent = find(kind, name);
    if (recent)
        return recent;
    pthread_mutex_lock(&lock);
    recent = find(kind, name);
    if (!recent)
        recent = make(kind, name);
    pthread_mutex_unlock(&lock);
    return recent;
}

/* The step of the octave that holds the time: floor(log2) and the two bits below it. */
static unsigned bucket_of(int64_t us)
{
    if (us < 1 << SMALLEST_BIT)
        return 0;
    unsigned bit = 63 - (unsigned)__builtin_clzll((uint64_t)us);
    unsigned bucket = (bit - SMALLEST_BIT) * STEPS + (unsigned)(us >> (bit - 2) & (STEPS - 1));
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a step. */
static double bucket_ms(unsigned bucket)
{
    double octave = (double)((uint64_t)1 << (SMALLEST_BIT + bucket / STEPS));
    return octave * (1 + (bucket % STEPS + 0.5) / STEPS) / 1000;
}

static void note_time(struct recent *recent, unsigned times, int64_t took_us, int64_t now_ms)
{
    int64_t number = now_ms / SPAN_MS;
    unsigned at = (unsigned)(number & 1);
    int64_t before = get(recent->spans[at].number);
    if (before != number &&
        __atomic_compare_exchange_n(&recent->spans[at].number, &before, number, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        for (unsigned i = 0; i < BUCKETS; i++)
            set(recent->spans[at].buckets[i], 0);
    add(recent->spans[at].buckets[bucket_of(took_us)], times);
}

void recent_note(struct recent *recent, unsigned times, bool failed, int64_t took_us)
{
    if (!recent)
        return;
    int64_t now_ms = clock_mono_ms(), second = now_ms / 1000;
    unsigned at = (unsigned)(second % SLOTS);
    int64_t before = get(recent->slots[at].second);
    if (before != second &&
        __atomic_compare_exchange_n(&recent->slots[at].second, &before, second, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        set(recent->slots[at].count, 0);
        set(recent->slots[at].failed, 0);
    }
    add(recent->slots[at].count, times);
    if (failed)
        add(recent->slots[at].failed, times);
    if (took_us >= 0)
        note_time(recent, times, took_us, now_ms);
}

/* The time that 99 of 100 were not above. */
static double read_p99(const struct recent *recent, int64_t now_ms)
{
    uint64_t sums[BUCKETS] = {0}, total = 0, seen = 0;
    for (unsigned at = 0; at < 2; at++) {
        if (now_ms / SPAN_MS - get(recent->spans[at].number) > 1)
            continue;
        for (unsigned i = 0; i < BUCKETS; i++) {
            sums[i] += get(recent->spans[at].buckets[i]);
            total += get(recent->spans[at].buckets[i]);
        }
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += sums[i];
        if (sums[i] && seen * 100 >= total * 99)
            return bucket_ms(i);
    }
    return -1;
}

struct recent_rates recent_read(const struct recent *recent)
{
    struct recent_rates rates = {.p99_ms = -1};
    if (!recent)
        return rates;
    int64_t now_ms = clock_mono_ms(), second = now_ms / 1000;
    uint64_t count = 0, failed = 0;
    for (unsigned at = 0; at < SLOTS; at++) {
        if (second - get(recent->slots[at].second) > WINDOW_S)
            continue;
        count += get(recent->slots[at].count);
        failed += get(recent->slots[at].failed);
    }
    double seconds = WINDOW_S + (double)(now_ms % 1000) / 1000; /* the whole ones, and what has passed of this one */
    rates.per_second = (double)count / seconds;
    rates.failed_per_second = (double)failed / seconds;
    rates.p99_ms = read_p99(recent, now_ms);
    return rates;
}

void recent_each(enum recent_kind kind, void (*visit)(void *arg, const char *name, struct recent_rates rates), void *arg)
{
    unsigned count = __atomic_load_n(&counts[kind], __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < count; i++)
        visit(arg, lists[kind][i]->name, recent_read(lists[kind][i]));
}
