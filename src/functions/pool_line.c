/*
 * Those that wait: a line for each function, first come, first served, but that short calls stay on their worker where they can; and the functions
 * that have no process at all, who are served first.
 */
#include "functions/pool_parts.h"

#include "base/clock.h"

/* Calls that take longer are served in their order. */
#define NEAR_RUN_US 1000
#define NEAR_WAITERS 16
#define PASSED_MAX 4

static struct pool_entry *first_starved, *last_starved;

void pool_line_add(struct pool_entry *entry, struct waiter *waiter)
{
    waiter->previous = entry->last;
    *(entry->last ? &entry->last->next : &entry->first) = waiter;
    entry->last = waiter;
    entry->waiting++;
}

void pool_line_remove(struct pool_entry *entry, struct waiter *waiter)
{
    *(waiter->previous ? &waiter->previous->next : &entry->first) = waiter->next;
    *(waiter->next ? &waiter->next->previous : &entry->last) = waiter->previous;
    waiter->next = waiter->previous = NULL;
    entry->waiting--;
}

struct waiter *pool_line_take(struct pool_entry *entry)
{
    struct waiter *waiter = entry->first;
    pool_line_remove(entry, waiter);
    waiter->awoken = true;
    return waiter;
}

struct waiter *pool_line_take_near(struct pool_entry *entry)
{
    struct waiter *first = entry->first, *near = first;
    bool may_pass = entry->run_us < NEAR_RUN_US && first->passed < PASSED_MAX;
    for (unsigned i = 0; may_pass && near && near->worker != worker_self(); i++)
        near = i < NEAR_WAITERS ? near->next : NULL;
    if (!near || near == first)
        return pool_line_take(entry);
    first->passed++;
    pool_line_remove(entry, near);
    near->awoken = true;
    return near;
}

void pool_line_shed(struct pool_entry *entry)
{
    int64_t now = clock_mono_ms();
    while (entry->version && entry->last) {
        struct waiter *waiter = entry->last;
        int64_t wait_us = function_rules_wait_us(entry->waiting - 1, (unsigned)entry->version->concurrency, entry->run_us);
        if (now + wait_us / 1000 <= waiter->until_mono_ms)
            return;
        pool_line_remove(entry, waiter);
        waiter->awoken = waiter->refused = true;
        fiber_wake_from_thread(waiter->fiber);
    }
}

void pool_line_starve(struct pool_entry *entry)
{
    if (entry->starved)
        return;
    entry->starved = true;
    entry->next_starved = NULL;
    *(last_starved ? &last_starved->next_starved : &first_starved) = entry;
    last_starved = entry;
}

bool pool_line_has_starved(void)
{
    return first_starved != NULL;
}

struct pool_entry *pool_line_take_starved(void)
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
