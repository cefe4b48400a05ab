/*
 * Metrics. The registry only grows, under one lock that making and printing take; values are relaxed atomics. Counters and histograms are
 * spread over cache lines by thread, so that workers do not fight for one.
 */
#include "base/metrics.h"

#include "base/log.h"
#include "base/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define STRIPES 8
#define BUCKETS 16
#define REFRESHERS_MAX 32

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct metric {
    struct metric *next; /* in order of making */
    enum kind kind;
    char *name, *labels, *help;
};

struct counter {
    struct metric metric;
    struct {
        alignas(64) _Atomic uint64_t value;
    } stripes[STRIPES];
};

struct gauge {
    struct metric metric;
    _Atomic int64_t value;
};

struct histogram {
    struct metric metric;
    struct {
        alignas(64) _Atomic uint64_t counts[BUCKETS + 1];
        _Atomic uint64_t sum_us;
    } stripes[STRIPES];
};

static const int64_t bucket_us[BUCKETS] = {500,    1000,   2500,   5000,    10000,   25000,   50000,    100000,
                                           250000, 500000, 750000, 1000000, 2500000, 5000000, 10000000, 30000000};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *first, *last;
static struct {
    void (*refresh)(void *arg);
    void *arg;
} refreshers[REFRESHERS_MAX];
static unsigned refresher_count;

static unsigned stripe(void)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned mine; /* plus one */
    if (!mine)
        mine = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % STRIPES;
    return mine - 1;
}

static void *or_fatal(void *at)
{
    if (!at)
        log_fatal("out of memory for metrics", NULL);
    return at;
}

static struct metric *find(enum kind kind, const char *name, const char *labels)
{
    for (struct metric *metric = first; metric; metric = metric->next) {
        if (strcmp(metric->name, name) || strcmp(metric->labels, labels))
            continue;
        if (metric->kind != kind)
            abort(); /* one name for two kinds is a bug */
        return metric;
    }
    return NULL;
}

/* The one with that name and labels, made if there is none. Each kind begins with its struct metric. */
static void *get(enum kind kind, size_t size, const char *name, const char *labels, const char *help)
{
    if (!labels)
        labels = "";
    pthread_mutex_lock(&lock);
    struct metric *metric = find(kind, name, labels);
    if (!metric) {
        size = (size + 63) / 64 * 64;
        metric = or_fatal(aligned_alloc(64, size));
        memset(metric, 0, size);
        metric->kind = kind;
        metric->name = or_fatal(strdup(name));
        metric->labels = or_fatal(strdup(labels));
        metric->help = or_fatal(strdup(help ? help : ""));
        *(last ? &last->next : &first) = metric;
        last = metric;
    }
    pthread_mutex_unlock(&lock);
    return metric;
}

struct counter *counter_get(const char *name, const char *labels, const char *help)
{
    return get(COUNTER, sizeof(struct counter), name, labels, help);
}

struct gauge *gauge_get(const char *name, const char *labels, const char *help)
{
    return get(GAUGE, sizeof(struct gauge), name, labels, help);
}

struct histogram *histogram_get(const char *name, const char *labels, const char *help)
{
    return get(HISTOGRAM, sizeof(struct histogram), name, labels, help);
}

void counter_add(struct counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->stripes[stripe()].value, n, memory_order_relaxed);
}

uint64_t counter_value(const struct counter *counter)
{
    uint64_t sum = 0;
    for (int i = 0; i < STRIPES; i++)
        sum += atomic_load_explicit(&counter->stripes[i].value, memory_order_relaxed);
    return sum;
}

void gauge_set(struct gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void gauge_add(struct gauge *gauge, int64_t n)
{
    atomic_fetch_add_explicit(&gauge->value, n, memory_order_relaxed);
}

int64_t gauge_value(const struct gauge *gauge)
{
    return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

void histogram_observe_us(struct histogram *histogram, int64_t us)
{
    if (us < 0)
        us = 0;
    unsigned bucket = 0, mine = stripe();
    while (bucket < BUCKETS && us > bucket_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&histogram->stripes[mine].counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->stripes[mine].sum_us, (uint64_t)us, memory_order_relaxed);
}

void metrics_on_print(void (*refresh)(void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    if (refresher_count == REFRESHERS_MAX)
        abort();
    refreshers[refresher_count].refresh = refresh;
    refreshers[refresher_count++].arg = arg;
    pthread_mutex_unlock(&lock);
}

static void print_name(struct buffer *out, const struct metric *metric, const char *suffix, const char *more)
{
    buffer_add_string(out, metric->name);
    buffer_add_string(out, suffix);
    bool both = metric->labels[0] && more[0];
    if (metric->labels[0] || more[0])
        buffer_printf(out, "{%s%s%s}", metric->labels, both ? "," : "", more);
    buffer_add(out, " ", 1);
}

static void print_histogram(struct buffer *out, const struct histogram *histogram)
{
    uint64_t count = 0, sum_us = 0;
    for (int bucket = 0; bucket <= BUCKETS; bucket++) {
        for (int i = 0; i < STRIPES; i++)
            count += atomic_load_explicit(&histogram->stripes[i].counts[bucket], memory_order_relaxed);
        char bound[32] = "le=\"+Inf\"";
        if (bucket < BUCKETS)
            snprintf(bound, sizeof bound, "le=\"%g\"", (double)bucket_us[bucket] / 1e6);
        print_name(out, &histogram->metric, "_bucket", bound);
        buffer_printf(out, "%" PRIu64 "\n", count);
    }
    for (int i = 0; i < STRIPES; i++)
        sum_us += atomic_load_explicit(&histogram->stripes[i].sum_us, memory_order_relaxed);
    print_name(out, &histogram->metric, "_sum", "");
    buffer_printf(out, "%.6f\n", (double)sum_us / 1e6);
    print_name(out, &histogram->metric, "_count", "");
    buffer_printf(out, "%" PRIu64 "\n", count);
}

static void print_metric(struct buffer *out, const struct metric *metric)
{
    if (metric->kind == HISTOGRAM) {
        print_histogram(out, (const struct histogram *)metric);
        return;
    }
    print_name(out, metric, "", "");
    if (metric->kind == COUNTER)
        buffer_printf(out, "%" PRIu64 "\n", counter_value((const struct counter *)metric));
    else
        buffer_printf(out, "%" PRId64 "\n", gauge_value((const struct gauge *)metric));
}

static bool is_first_of_name(const struct metric *metric)
{
    for (const struct metric *other = first; other != metric; other = other->next)
        if (!strcmp(other->name, metric->name))
            return false;
    return true;
}

/* All of one name stand together, as the format wants it. */
static void print_all(struct buffer *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    for (const struct metric *metric = first; metric; metric = metric->next) {
        if (!is_first_of_name(metric))
            continue;
        buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, kinds[metric->kind]);
        for (const struct metric *same = metric; same; same = same->next)
            if (!strcmp(same->name, metric->name))
                print_metric(out, same);
    }
}

void metrics_print(struct buffer *out)
{
    pthread_mutex_lock(&lock);
    unsigned count = refresher_count;
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < count; i++)
        refreshers[i].refresh(refreshers[i].arg);
    pthread_mutex_lock(&lock);
    print_all(out);
    pthread_mutex_unlock(&lock);
}
