/* Processes that are idle: by function, last used first, and all of them by age. They are trimmed, ended, and taken away for others. */
#include "functions/pool_parts.h"

#include "base/clock.h"

#include <stdlib.h>

#define TRIM_AFTER_MS 3000

static struct pooled *oldest, *newest; /* the idle of all functions */

void pool_idle_add(struct pooled *process)
{
    struct pool_entry *entry = process->entry;
    process->idle_since_mono_ms = clock_mono_ms();
    process->worker = worker_self();
    process->trimmed = false;
    process->next = entry->idle;
    entry->idle = process;
    process->newer = NULL;
    process->older = newest;
    *(newest ? &newest->newer : &oldest) = process;
    newest = process;
}

void pool_idle_remove(struct pooled *process)
{
    struct pooled **place = &process->entry->idle;
    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
    *(process->newer ? &process->newer->older : &newest) = process->older;
    *(process->older ? &process->older->newer : &oldest) = process->newer;
    process->next = process->newer = process->older = NULL;
}

struct pooled *pool_idle_take(struct pool_entry *entry)
{
    struct pooled *process = entry->idle;
    while (process && process->worker != worker_self())
        process = process->next;
    if (!process)
        process = entry->idle;
    if (process)
        pool_idle_remove(process);
    return process;
}

struct pooled *pool_idle_oldest(void)
{
    return oldest;
}

struct pooled *pool_idle_take_stale(struct pool_entry *entry)
{
    struct pooled *stale = NULL;
    for (struct pooled *process = entry->idle, *next; process; process = next) {
        next = process->next;
        if (process->version == entry->version)
            continue;
        pool_idle_remove(process);
        entry->processes--;
        pool_tokens--;
        process->next = stale;
        stale = process;
    }
    return stale;
}

void pooled_free(struct pooled *process)
{
    link_free(process->link);
    version_unref(process->version);
    free(process);
}

void pooled_free_list(struct pooled *list)
{
    while (list) {
        struct pooled *next = list->next;
        pooled_free(list);
        list = next;
    }
}

void pool_discard_dead(struct pool_entry *entry)
{
    struct pooled *dead = NULL;
    pthread_mutex_lock(&pool_lock);
    for (struct pooled *process = entry->idle, *next; process; process = next) {
        next = process->next;
        if (!link_is_dead(process->link))
            continue;
        pool_idle_remove(process);
        entry->processes--;
        pool_tokens--;
        process->next = dead;
        dead = process;
    }
    pthread_mutex_unlock(&pool_lock);
    pooled_free_list(dead);
}

/* The oldest idle process that has been idle for `ms`, taken out with its token; NULL: none. */
static struct pooled *take_expired(int64_t ms)
{
    pthread_mutex_lock(&pool_lock);
    struct pooled *process = oldest && clock_mono_ms() - oldest->idle_since_mono_ms >= ms ? oldest : NULL;
    if (process) {
        pool_idle_remove(process);
        process->entry->processes--;
        pool_tokens--;
    }
    pthread_mutex_unlock(&pool_lock);
    return process;
}

/* A process that should give memory back, checked out; NULL: none. */
static struct pooled *take_untrimmed(void)
{
    pthread_mutex_lock(&pool_lock);
    struct pooled *process = oldest;
    while (process && process->trimmed)
        process = process->newer;
    if (process && clock_mono_ms() - process->idle_since_mono_ms < TRIM_AFTER_MS)
        process = NULL;
    if (process) {
        pool_idle_remove(process);
        process->entry->busy++;
    }
    pthread_mutex_unlock(&pool_lock);
    return process;
}

FIBER_FN void pool_sweep(void)
{
    for (struct pooled *process; (process = take_expired(pool_limits.idle_ms));)
        pooled_free(process);
    for (struct pooled *process; (process = take_untrimmed());) {
        int64_t idle_since = process->idle_since_mono_ms;
        bool alive = !link_is_dead(process->link) &&
                     link_send(process->link, FUNCTION_PACKET_TRIM, NULL, 0, clock_mono_ms() + 100) == 0;
        pool_give(process, alive);
        pthread_mutex_lock(&pool_lock);
        if (alive && process == newest) {
            process->trimmed = true;
            process->idle_since_mono_ms = idle_since;
        }
        pthread_mutex_unlock(&pool_lock);
    }
}

void pool_drain(void)
{
    for (struct pooled *process; (process = take_expired(-1));)
        pooled_free(process);
}
