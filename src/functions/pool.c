/*
 * Pools. One mutex for all of them: it is held for a handful of instructions, never across a wait or a system call that may block.
 *
 * A process is a token: `processes` counts tokens, whether the process is starting, idle or checked out. A token moves with its process; when a
 * process ends while somebody waits, the token is handed to the first in the line, who starts a new one with it. The number of tokens of all
 * functions is bounded: a function that finds none left takes an idle process of the function that used it least lately away, and if all are busy it
 * stands among the starved, who are served first when anybody gives a process back.
 */
#include "functions/pool.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024
/* Somebody who has waited so long starts a process if there may be one more: shorter waits are cheaper than a start. */
#define PATIENCE_MS 4
#define TRIM_AFTER_MS 3000
/* How long a function that had to be killed stands back behind the others. */
#define WILD_MS 10000
/* What a process needs for itself, beside what its function takes. */
#define ENGINE_KB (8 * 1024)

struct waiter {
    struct fiber *fiber;
    struct pooled *granted;
    bool token; /* granted the right to start one */
    bool gone;  /* the function was deleted */
    bool awoken; /* a wake is on its way */
    struct waiter *next, *previous;
};

struct pool_entry {
    char name[FUNCTION_NAME_MAX + 1];
    struct version *version; /* NULL: deleted */
    int64_t revision;        /* of the registry, at which it became so */
    struct pooled *idle;     /* last used first */
    unsigned processes, busy, waiting;
    struct waiter *first, *last;
    int64_t run_us; /* moving average */
    int64_t wild_until_mono_ms;
    bool starved;
    struct pool_entry *next_starved;
    _Atomic(void *) attachment;
    struct pool_entry *next; /* in the bucket */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pool_entry *buckets[BUCKETS];
static struct pool_limits limits = {.processes_max = 32, .waiting_max = 1000, .wait_max_ms = 5000, .idle_ms = 60000};
static unsigned processes; /* tokens of all functions */
static struct pooled *oldest, *newest; /* the idle of all functions */
static struct pool_entry *first_starved, *last_starved;

struct version *version_ref(struct version *version)
{
    if (version)
        atomic_fetch_add(&version->users, 1);
    return version;
}

void version_unref(struct version *version)
{
    if (!version || atomic_fetch_sub(&version->users, 1) != 1)
        return;
    free(version->settings);
    free(version);
}

int64_t pool_memory_kb(const struct version *version)
{
    return version->memory_mb * 1024 + ENGINE_KB;
}

void pool_set_limits(const struct pool_limits *new_limits)
{
    pthread_mutex_lock(&lock);
    limits = *new_limits;
    pthread_mutex_unlock(&lock);
}

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
    pthread_mutex_lock(&lock);
    struct pool_entry *entry = find(name);
    pthread_mutex_unlock(&lock);
    return entry;
}

struct pool_entry *pool_entry_get(const char *name)
{
    pthread_mutex_lock(&lock);
    struct pool_entry *entry = find(name);
    if (!entry && strlen(name) <= FUNCTION_NAME_MAX && (entry = calloc(1, sizeof(*entry)))) {
        memcpy(entry->name, name, strlen(name) + 1);
        entry->run_us = 1000;
        unsigned bucket = bucket_of(name);
        entry->next = buckets[bucket];
        buckets[bucket] = entry;
    }
    pthread_mutex_unlock(&lock);
    return entry;
}

void pool_each(void (*visit)(void *arg, struct pool_entry *entry), void *arg)
{
    /* Entries are never freed, and new ones come in at the head: the lists may be walked without the lock. */
    for (unsigned i = 0; i < BUCKETS; i++) {
        pthread_mutex_lock(&lock);
        struct pool_entry *entry = buckets[i];
        pthread_mutex_unlock(&lock);
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

/* Everything below, up to the next public function, is called with the lock held. */

static void line_add(struct pool_entry *entry, struct waiter *waiter)
{
    waiter->previous = entry->last;
    *(entry->last ? &entry->last->next : &entry->first) = waiter;
    entry->last = waiter;
    entry->waiting++;
}

static void line_remove(struct pool_entry *entry, struct waiter *waiter)
{
    *(waiter->previous ? &waiter->previous->next : &entry->first) = waiter->next;
    *(waiter->next ? &waiter->next->previous : &entry->last) = waiter->previous;
    waiter->next = waiter->previous = NULL;
    entry->waiting--;
}

static struct waiter *line_take(struct pool_entry *entry)
{
    struct waiter *waiter = entry->first;
    line_remove(entry, waiter);
    waiter->awoken = true;
    return waiter;
}

static void idle_add(struct pooled *process)
{
    struct pool_entry *entry = process->entry;
    process->idle_since_mono_ms = clock_mono_ms();
    process->trimmed = false;
    process->next = entry->idle;
    entry->idle = process;
    process->newer = NULL;
    process->older = newest;
    *(newest ? &newest->newer : &oldest) = process;
    newest = process;
}

static void idle_remove(struct pooled *process)
{
    struct pooled **place = &process->entry->idle;
    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
    *(process->newer ? &process->newer->older : &newest) = process->older;
    *(process->older ? &process->older->newer : &oldest) = process->newer;
    process->next = process->newer = process->older = NULL;
}

static void starve(struct pool_entry *entry)
{
    if (entry->starved)
        return;
    entry->starved = true;
    entry->next_starved = NULL;
    *(last_starved ? &last_starved->next_starved : &first_starved) = entry;
    last_starved = entry;
}

/* The first starved function that somebody still waits for. */
static struct pool_entry *take_starved(void)
{
    while (first_starved) {
        struct pool_entry *entry = first_starved;
        first_starved = entry->next_starved;
        if (!first_starved)
            last_starved = NULL;
        entry->starved = false;
        if (entry->first)
            return entry;
    }
    return NULL;
}

/* A token that is free: to whoever waits, starved functions first, else nobody's. Returns the fiber to wake. */
static struct fiber *pass_token(struct pool_entry *entry)
{
    struct pool_entry *starved = take_starved();
    struct pool_entry *heir = starved ? starved : entry->first && entry->version ? entry : NULL;
    entry->processes--;
    processes--;
    if (heir != entry && entry->first && entry->version && !entry->processes)
        starve(entry);
    if (!heir)
        return NULL;
    struct waiter *waiter = line_take(heir);
    waiter->token = true;
    heir->processes++;
    processes++;
    return waiter->fiber;
}

/* Takes a token for one more process. False: there may be none. *ret_evicted: an idle process of somebody else that has to go for it. */
static bool take_token(struct pool_entry *entry, struct pooled **ret_evicted)
{
    *ret_evicted = NULL;
    if (entry->processes >= (unsigned)entry->version->concurrency)
        return false;
    if (processes >= limits.processes_max) {
        struct pooled *victim = oldest;
        if (!victim || victim->entry == entry)
            return false;
        idle_remove(victim);
        victim->entry->processes--;
        processes--;
        *ret_evicted = victim;
    }
    entry->processes++;
    processes++;
    return true;
}

static struct pooled *take_idle(struct pool_entry *entry)
{
    struct pooled *process = entry->idle;
    if (process)
        idle_remove(process);
    return process;
}

/* The idle of other versions, taken out as a list by `next`; their tokens are free. */
static struct pooled *take_stale(struct pool_entry *entry)
{
    struct pooled *stale = NULL;
    for (struct pooled *process = entry->idle, *next; process; process = next) {
        next = process->next;
        if (process->version == entry->version)
            continue;
        idle_remove(process);
        entry->processes--;
        processes--;
        process->next = stale;
        stale = process;
    }
    return stale;
}

static void destroy(struct pooled *process)
{
    link_free(process->link);
    version_unref(process->version);
    free(process);
}

static void destroy_list(struct pooled *list)
{
    while (list) {
        struct pooled *next = list->next;
        destroy(list);
        list = next;
    }
}

static bool is_same(const struct version *a, const struct version *b)
{
    return a && b && strcmp(a->id, b->id) == 0;
}

void pool_set_version(struct pool_entry *entry, struct version *version, int64_t revision)
{
    pthread_mutex_lock(&lock);
    bool news = revision > entry->revision;
    if (news)
        entry->revision = revision;
    if (!news || is_same(entry->version, version)) {
        pthread_mutex_unlock(&lock);
        version_unref(version);
        return;
    }
    struct version *old = entry->version;
    entry->version = version;
    struct pooled *stale = take_stale(entry);
    struct waiter *gone = NULL;
    while (!version && entry->first) {
        struct waiter *waiter = line_take(entry);
        waiter->gone = true;
        waiter->next = gone;
        gone = waiter;
    }
    /* A waiter may go as soon as it is woken, so its successor is read before. */
    for (struct waiter *next; gone; gone = next) {
        next = gone->next;
        fiber_wake_from_thread(gone->fiber);
    }
    pthread_mutex_unlock(&lock);
    destroy_list(stale);
    version_unref(old);
}

struct version *pool_version(struct pool_entry *entry)
{
    pthread_mutex_lock(&lock);
    struct version *version = version_ref(entry->version);
    pthread_mutex_unlock(&lock);
    return version;
}

static bool is_wild(struct pool_entry *entry)
{
    pthread_mutex_lock(&lock);
    bool wild = clock_mono_ms() < entry->wild_until_mono_ms;
    pthread_mutex_unlock(&lock);
    return wild;
}

/* A new process for a token. NULL: the token has been given up. */
static struct pooled *start_process(struct pool_entry *entry, int *ret_error)
{
    struct version *version = pool_version(entry);
    struct pooled *process = version ? calloc(1, sizeof(*process)) : NULL;
    struct host_process forked;
    *ret_error = !version ? -ENOENT : !process ? -ENOTCONN : host_fork(pool_memory_kb(version), is_wild(entry), &forked);
    if (!*ret_error && !(process->link = link_new(forked)))
        *ret_error = -ENOTCONN;
    if (!*ret_error) {
        process->entry = entry;
        process->version = version;
        process->cold = true;
        return process;
    }
    free(process);
    version_unref(version);
    pthread_mutex_lock(&lock);
    entry->busy--;
    struct fiber *heir = pass_token(entry);
    pthread_mutex_unlock(&lock);
    if (heir)
        fiber_wake_from_thread(heir);
    return NULL;
}

/* Whether the line is short enough for the time there is. Called with the lock held. */
static bool is_admitted(const struct pool_entry *entry, int64_t wait_max_us, int *ret_retry_after_s)
{
    int64_t wait_us = function_rules_wait_us(entry->waiting, (unsigned)entry->version->concurrency, entry->run_us);
    *ret_retry_after_s = 1 + (int)(wait_us / 1000000);
    return entry->waiting < limits.waiting_max && wait_us <= wait_max_us;
}

static int64_t wait_max_ms(void)
{
    int64_t until = fiber_deadline(), left = until ? until - clock_mono_ms() : limits.wait_max_ms;
    return left < limits.wait_max_ms ? left : limits.wait_max_ms;
}

/* Waits in the line. 0: waiter->granted or ->token or ->gone is set. Else negative, and the waiter is out of the line with nothing. */
static FIBER_FN int stand(struct pool_entry *entry, struct waiter *waiter, int64_t until_mono_ms)
{
    int64_t now = clock_mono_ms();
    int64_t before = fiber_set_deadline(until_mono_ms < now + 1 ? now + 1 : until_mono_ms);
    int error = fiber_wait();
    fiber_set_deadline(before);
    pthread_mutex_lock(&lock);
    bool awoken = waiter->awoken;
    if (!awoken)
        line_remove(entry, waiter);
    pthread_mutex_unlock(&lock);
    if (!awoken)
        return error ? error : -ETIMEDOUT;
    if (error) /* granted at the same time: the wake is still on its way, and is ours */
        fiber_wait_uninterrupted();
    return 0;
}

/* In the line twice: a short while in the hope of a warm process, then, where one more may be started, with a token, or else to the end. */
static FIBER_FN int wait_in_line(struct pool_entry *entry, struct waiter *waiter, struct pooled **ret_evicted)
{
    int64_t now = clock_mono_ms(), until = now + wait_max_ms();
    int error = stand(entry, waiter, now + PATIENCE_MS < until ? now + PATIENCE_MS : until);
    if (error != -ETIMEDOUT || clock_mono_ms() >= until)
        return error;
    pthread_mutex_lock(&lock);
    if (!entry->version) {
        pthread_mutex_unlock(&lock);
        return -ENOENT;
    }
    bool token = take_token(entry, ret_evicted);
    if (token)
        waiter->token = true;
    else {
        /* At the front again: nobody who came later goes first. */
        waiter->next = entry->first;
        waiter->previous = NULL;
        *(entry->first ? &entry->first->previous : &entry->last) = waiter;
        entry->first = waiter;
        entry->waiting++;
        if (!entry->processes)
            starve(entry);
    }
    pthread_mutex_unlock(&lock);
    return token ? 0 : stand(entry, waiter, until);
}

static void count_busy(struct pool_entry *entry)
{
    pthread_mutex_lock(&lock);
    entry->busy++;
    pthread_mutex_unlock(&lock);
}

/* Takes an idle process, or a token for a new one, or a place in the line. */
enum taken { TAKEN_PROCESS, TAKEN_TOKEN, TAKEN_PLACE, TAKEN_NOTHING, TAKEN_BUSY };

static enum taken take_at_once(struct pool_entry *entry, struct waiter *waiter, struct pooled **ret_process, struct pooled **ret_evicted,
                               int *ret_retry_after_s)
{
    if (!entry->version)
        return TAKEN_NOTHING;
    if (!entry->first && (*ret_process = take_idle(entry)))
        return TAKEN_PROCESS;
    bool worth_waiting =
        entry->processes && function_rules_wait_us(entry->waiting, entry->processes, entry->run_us) <= PATIENCE_MS * 1000;
    if (!worth_waiting && take_token(entry, ret_evicted))
        return TAKEN_TOKEN;
    if (!is_admitted(entry, wait_max_ms() * 1000, ret_retry_after_s))
        return TAKEN_BUSY;
    line_add(entry, waiter);
    if (!entry->processes)
        starve(entry);
    return TAKEN_PLACE;
}

FIBER_FN int pool_take(struct pool_entry *entry, struct pooled **ret_process, int *ret_retry_after_s)
{
    struct pooled *evicted = NULL, *process = NULL;
    struct waiter waiter = {.fiber = fiber_self()};
    *ret_retry_after_s = 1;
    pthread_mutex_lock(&lock);
    enum taken taken = take_at_once(entry, &waiter, &process, &evicted, ret_retry_after_s);
    if (taken == TAKEN_PROCESS || taken == TAKEN_TOKEN)
        entry->busy++;
    pthread_mutex_unlock(&lock);
    if (taken == TAKEN_NOTHING || taken == TAKEN_BUSY)
        return taken == TAKEN_BUSY ? -EBUSY : -ENOENT;
    int error = 0;
    if (taken == TAKEN_PLACE) {
        error = wait_in_line(entry, &waiter, &evicted);
        if (!error && waiter.gone)
            error = -ENOENT;
        process = waiter.granted;
        if (!error && !process)
            count_busy(entry);
    }
    if (!error && !process)
        process = start_process(entry, &error);
    if (evicted)
        destroy(evicted);
    *ret_process = process;
    return error == -ETIMEDOUT ? -EBUSY : error;
}

void pool_give(struct pooled *process, bool alive)
{
    struct pool_entry *entry = process->entry;
    struct fiber *heir = NULL;
    pthread_mutex_lock(&lock);
    bool keep = alive && entry->version == process->version && !first_starved;
    if (keep && entry->first) {
        /* Stays busy: it goes from hand to hand. */
        struct waiter *waiter = line_take(entry);
        waiter->granted = process;
        heir = waiter->fiber;
    } else {
        entry->busy--;
        if (keep)
            idle_add(process);
        else
            heir = pass_token(entry);
    }
    pthread_mutex_unlock(&lock);
    if (!keep)
        destroy(process);
    if (heir)
        fiber_wake_from_thread(heir);
}

void pool_add(struct pool_entry *entry, struct link *link, struct version *version)
{
    struct pooled *process = calloc(1, sizeof(*process)), *evicted = NULL;
    pthread_mutex_lock(&lock);
    bool added = process && is_same(entry->version, version) && take_token(entry, &evicted);
    if (process)
        *process = (struct pooled){.entry = entry, .link = link, .version = version_ref(added ? entry->version : version)};
    if (added)
        idle_add(process);
    pthread_mutex_unlock(&lock);
    if (evicted)
        destroy(evicted);
    if (!added && process)
        destroy(process);
    else if (!added)
        link_free(link);
}

void pool_discard_dead(struct pool_entry *entry)
{
    struct pooled *dead = NULL;
    pthread_mutex_lock(&lock);
    for (struct pooled *process = entry->idle, *next; process; process = next) {
        next = process->next;
        if (!link_is_dead(process->link))
            continue;
        idle_remove(process);
        entry->processes--;
        processes--;
        process->next = dead;
        dead = process;
    }
    pthread_mutex_unlock(&lock);
    destroy_list(dead);
}

void pool_note_run(struct pool_entry *entry, int64_t run_us)
{
    pthread_mutex_lock(&lock);
    entry->run_us += (run_us - entry->run_us) / 8;
    pthread_mutex_unlock(&lock);
}

void pool_note_kill(struct pool_entry *entry)
{
    pthread_mutex_lock(&lock);
    entry->wild_until_mono_ms = clock_mono_ms() + WILD_MS;
    pthread_mutex_unlock(&lock);
}

struct pool_counts pool_counts_of(struct pool_entry *entry)
{
    pthread_mutex_lock(&lock);
    struct pool_counts counts = {entry->processes, entry->busy, entry->waiting, entry->run_us};
    pthread_mutex_unlock(&lock);
    return counts;
}

unsigned pool_processes(void)
{
    pthread_mutex_lock(&lock);
    unsigned count = processes;
    pthread_mutex_unlock(&lock);
    return count;
}

/* The oldest idle process that has been idle for `ms`, taken out with its token; NULL: none. */
static struct pooled *take_expired(int64_t ms)
{
    pthread_mutex_lock(&lock);
    struct pooled *process = oldest && clock_mono_ms() - oldest->idle_since_mono_ms >= ms ? oldest : NULL;
    if (process) {
        idle_remove(process);
        process->entry->processes--;
        processes--;
    }
    pthread_mutex_unlock(&lock);
    return process;
}

/* A process that should give memory back, checked out; NULL: none. */
static struct pooled *take_untrimmed(void)
{
    pthread_mutex_lock(&lock);
    struct pooled *process = oldest;
    while (process && process->trimmed)
        process = process->newer;
    if (process && clock_mono_ms() - process->idle_since_mono_ms < TRIM_AFTER_MS)
        process = NULL;
    if (process) {
        idle_remove(process);
        process->entry->busy++;
    }
    pthread_mutex_unlock(&lock);
    return process;
}

FIBER_FN void pool_sweep(void)
{
    for (struct pooled *process; (process = take_expired(limits.idle_ms));)
        destroy(process);
    for (struct pooled *process; (process = take_untrimmed());) {
        int64_t idle_since = process->idle_since_mono_ms;
        bool alive = !link_is_dead(process->link) &&
                     link_send(process->link, FUNCTION_PACKET_TRIM, NULL, 0, clock_mono_ms() + 100) == 0;
        pool_give(process, alive);
        pthread_mutex_lock(&lock);
        if (alive && process == newest) {
            process->trimmed = true;
            process->idle_since_mono_ms = idle_since;
        }
        pthread_mutex_unlock(&lock);
    }
}

void pool_drain(void)
{
    for (struct pooled *process; (process = take_expired(-1));)
        destroy(process);
}
