/*
 * Pools. One mutex for all of them: it is held for a handful of instructions, never across a wait or a system call that may block.
 *
 * A process is a token: `processes` counts tokens, whether the process is starting, idle or checked out. A token moves with its process; when a
 * process ends while somebody waits, the token is handed to the first in the line, who starts a new one with it. The number of tokens of all
 * functions is bounded: a function that finds none left takes an idle process of the function that used it least lately away, and if all are busy it
 * stands among the starved, who are served first when anybody gives a process back.
 */
#include "functions/pool.h"
#include "functions/pool_parts.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* Somebody who has waited so long starts a process if there may be one more: shorter waits are cheaper than a start. */
#define PATIENCE_MS 4

pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
struct pool_limits pool_limits = {.processes_max = 32, .waiting_max = 1000, .wait_max_ms = 5000, .idle_ms = 60000};
unsigned pool_tokens;

void pool_set_limits(const struct pool_limits *new_limits)
{
    pthread_mutex_lock(&pool_lock);
    pool_limits = *new_limits;
    pthread_mutex_unlock(&pool_lock);
}

/* A token that is free: to whoever waits, starved functions first, else nobody's. Returns the fiber to wake. */
static struct fiber *pass_token(struct pool_entry *entry)
{
    struct pool_entry *starved = pool_line_take_starved();
    struct pool_entry *heir = starved ? starved : entry->first && entry->version ? entry : NULL;
    entry->processes--;
    pool_tokens--;
    if (heir != entry && entry->first && entry->version && !entry->processes)
        pool_line_starve(entry);
    if (!heir)
        return NULL;
    struct waiter *waiter = pool_line_take(heir);
    waiter->token = true;
    heir->processes++;
    pool_tokens++;
    return waiter->fiber;
}

/* Takes a token for one more process. False: there may be none. *ret_evicted: an idle process of somebody else that has to go for it. */
static bool take_token(struct pool_entry *entry, struct pooled **ret_evicted)
{
    *ret_evicted = NULL;
    if (entry->processes >= (unsigned)entry->version->concurrency)
        return false;
    if (pool_tokens >= pool_limits.processes_max) {
        struct pooled *victim = pool_idle_oldest();
        if (!victim || victim->entry == entry)
            return false;
        pool_idle_remove(victim);
        victim->entry->processes--;
        pool_tokens--;
        *ret_evicted = victim;
    }
    entry->processes++;
    pool_tokens++;
    return true;
}

void pool_set_version(struct pool_entry *entry, struct version *version, int64_t revision)
{
    pthread_mutex_lock(&pool_lock);
    bool news = revision > entry->revision;
    if (news)
        entry->revision = revision;
    if (!news || version_is_same(entry->version, version)) {
        pthread_mutex_unlock(&pool_lock);
        version_unref(version);
        return;
    }
    struct version *old = entry->version;
    entry->version = version;
    struct pooled *stale = pool_idle_take_stale(entry);
    struct waiter *gone = NULL;
    while (!version && entry->first) {
        struct waiter *waiter = pool_line_take(entry);
        waiter->gone = true;
        waiter->next = gone;
        gone = waiter;
    }
    /* A waiter may go as soon as it is woken, so its successor is read before. */
    for (struct waiter *next; gone; gone = next) {
        next = gone->next;
        fiber_wake_from_thread(gone->fiber);
    }
    pthread_mutex_unlock(&pool_lock);
    pooled_free_list(stale);
    version_unref(old);
}

/* A new process for a token. NULL: the token has been given up. */
static struct pooled *start_process(struct pool_entry *entry, int *ret_error)
{
    struct version *version = pool_version(entry);
    struct pooled *process = version ? calloc(1, sizeof(*process)) : NULL;
    struct host_process forked;
    *ret_error = !version ? -ENOENT : !process ? -ENOTCONN : host_fork(entry->name, version_memory_kb(version), &forked);
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
    pthread_mutex_lock(&pool_lock);
    entry->busy--;
    struct fiber *heir = pass_token(entry);
    pthread_mutex_unlock(&pool_lock);
    if (heir)
        fiber_wake_from_thread(heir);
    return NULL;
}

/* Whether the line is short enough for the time there is. Called with the lock held. */
static bool is_admitted(const struct pool_entry *entry, int64_t wait_max_us, int *ret_retry_after_s)
{
    int64_t wait_us = function_rules_wait_us(entry->waiting, (unsigned)entry->version->concurrency, entry->run_us);
    *ret_retry_after_s = 1 + (int)(wait_us / 1000000);
    return entry->waiting < pool_limits.waiting_max && wait_us <= wait_max_us;
}

static int64_t wait_max_ms(void)
{
    int64_t until = fiber_deadline(), left = until ? until - clock_mono_ms() : pool_limits.wait_max_ms;
    return left < pool_limits.wait_max_ms ? left : pool_limits.wait_max_ms;
}

/* fiber_wait with a deadline of its own, which is a millisecond away at least. */
static FIBER_FN int wait_until(int64_t until_mono_ms)
{
    int64_t now = clock_mono_ms();
    int64_t before = fiber_set_deadline(until_mono_ms < now + 1 ? now + 1 : until_mono_ms);
    int error = fiber_wait();
    fiber_set_deadline(before);
    return error;
}

/* Out of the line with a token, if there may be one more process and nobody has woken the waiter meanwhile. */
static bool leave_with_token(struct pool_entry *entry, struct waiter *waiter, struct pooled **ret_evicted)
{
    pthread_mutex_lock(&pool_lock);
    bool token = !waiter->awoken && take_token(entry, ret_evicted);
    if (token) {
        pool_line_remove(entry, waiter);
        waiter->token = true;
    }
    pthread_mutex_unlock(&pool_lock);
    return token;
}

/* Out of the line with nothing. False: a wake is on its way, with what it gives. */
static bool leave(struct pool_entry *entry, struct waiter *waiter)
{
    pthread_mutex_lock(&pool_lock);
    bool awoken = waiter->awoken;
    if (!awoken)
        pool_line_remove(entry, waiter);
    pthread_mutex_unlock(&pool_lock);
    return !awoken;
}

/* Keeps its place in the line all the time: whoever's patience is over goes where one more process may be started, and stays where it stands
 * otherwise. 0: waiter->granted or ->token or ->gone or ->refused is set. Else negative, and the waiter is out of the line with nothing. */
static FIBER_FN int wait_in_line(struct pool_entry *entry, struct waiter *waiter, struct pooled **ret_evicted)
{
    int64_t until = waiter->until_mono_ms, patient_until = clock_mono_ms() + PATIENCE_MS;
    int error = wait_until(patient_until < until ? patient_until : until);
    if (error == -ETIMEDOUT && patient_until < until) {
        if (leave_with_token(entry, waiter, ret_evicted))
            return 0;
        error = wait_until(until);
    }
    if (!error || leave(entry, waiter))
        return error;
    fiber_wait_uninterrupted();
    return 0;
}

static void count_busy(struct pool_entry *entry)
{
    pthread_mutex_lock(&pool_lock);
    entry->busy++;
    pthread_mutex_unlock(&pool_lock);
}

/* Takes an idle process, or a token for a new one, or a place in the line. */
enum taken { TAKEN_PROCESS, TAKEN_TOKEN, TAKEN_PLACE, TAKEN_NOTHING, TAKEN_BUSY };

static enum taken take_at_once(struct pool_entry *entry, struct waiter *waiter, struct pooled **ret_process, struct pooled **ret_evicted,
                               int *ret_retry_after_s)
{
    if (!entry->version)
        return TAKEN_NOTHING;
    if (!entry->first && (*ret_process = pool_idle_take(entry)))
        return TAKEN_PROCESS;
    bool worth_waiting =
        entry->processes && function_rules_wait_us(entry->waiting, entry->processes, entry->run_us) <= PATIENCE_MS * 1000;
    if (!worth_waiting && take_token(entry, ret_evicted))
        return TAKEN_TOKEN;
    if (!is_admitted(entry, wait_max_ms() * 1000, ret_retry_after_s))
        return TAKEN_BUSY;
    pool_line_add(entry, waiter);
    if (!entry->processes)
        pool_line_starve(entry);
    return TAKEN_PLACE;
}

FIBER_FN int pool_take(struct pool_entry *entry, struct pooled **ret_process, int *ret_retry_after_s)
{
    struct pooled *evicted = NULL, *process = NULL;
    struct waiter waiter = {.fiber = fiber_self(), .worker = worker_self(), .until_mono_ms = clock_mono_ms() + wait_max_ms()};
    *ret_retry_after_s = 1;
    pthread_mutex_lock(&pool_lock);
    enum taken taken = take_at_once(entry, &waiter, &process, &evicted, ret_retry_after_s);
    if (taken == TAKEN_PROCESS || taken == TAKEN_TOKEN)
        entry->busy++;
    pthread_mutex_unlock(&pool_lock);
    if (taken == TAKEN_NOTHING || taken == TAKEN_BUSY)
        return taken == TAKEN_BUSY ? -EBUSY : -ENOENT;
    int error = 0;
    if (taken == TAKEN_PLACE) {
        error = wait_in_line(entry, &waiter, &evicted);
        if (!error && (waiter.gone || waiter.refused))
            error = waiter.gone ? -ENOENT : -EBUSY;
        process = waiter.granted;
        if (!error && !process)
            count_busy(entry);
    }
    if (!error && !process)
        process = start_process(entry, &error);
    if (evicted)
        pooled_free(evicted);
    *ret_process = process;
    return error == -ETIMEDOUT ? -EBUSY : error;
}

/* To somebody in the line, who is to be woken. */
static struct fiber *hand_over(struct pool_entry *entry, struct pooled *process)
{
    struct waiter *waiter = pool_line_take_near(entry);
    waiter->granted = process;
    return waiter->fiber;
}

void pool_give(struct pooled *process, bool alive)
{
    struct pool_entry *entry = process->entry;
    struct fiber *heir = NULL;
    pthread_mutex_lock(&pool_lock);
    bool keep = alive && entry->version == process->version && !pool_line_has_starved();
    if (keep && entry->first) {
        heir = hand_over(entry, process); /* stays busy: it goes from hand to hand */
    } else {
        entry->busy--;
        if (keep)
            pool_idle_add(process);
        else
            heir = pass_token(entry);
    }
    pool_line_shed(entry);
    pthread_mutex_unlock(&pool_lock);
    if (!keep)
        pooled_free(process);
    if (heir)
        fiber_wake_from_thread(heir);
}

void pool_add(struct pool_entry *entry, struct link *link, struct version *version)
{
    struct pooled *process = calloc(1, sizeof(*process)), *evicted = NULL;
    struct fiber *heir = NULL;
    pthread_mutex_lock(&pool_lock);
    bool added = process && version_is_same(entry->version, version) && take_token(entry, &evicted);
    if (process)
        *process = (struct pooled){.entry = entry, .link = link, .version = version_ref(added ? entry->version : version)};
    if (added && entry->first) {
        entry->busy++;
        heir = hand_over(entry, process);
    } else if (added) {
        pool_idle_add(process);
    }
    pthread_mutex_unlock(&pool_lock);
    if (evicted)
        pooled_free(evicted);
    if (!added && process)
        pooled_free(process);
    else if (!added)
        link_free(link);
    if (heir)
        fiber_wake_from_thread(heir);
}

unsigned pool_processes(void)
{
    pthread_mutex_lock(&pool_lock);
    unsigned count = pool_tokens;
    pthread_mutex_unlock(&pool_lock);
    return count;
}
