/* What the files of the pool share: its lock, its limits, and the lists under it. Of no use to others. */
#ifndef PURSER_FUNCTIONS_POOL_PARTS_H
#define PURSER_FUNCTIONS_POOL_PARTS_H

#include "functions/pool.h"

#include "runtime/worker.h"

#include <pthread.h>

struct waiter {
    struct fiber *fiber;
    struct worker *worker; /* the fiber's */
    unsigned passed;       /* how often somebody behind it went first */
    struct pooled *granted;
    bool token; /* granted the right to start one */
    bool gone;  /* the function was deleted */
    bool refused; /* it would not come to its turn in time */
    int64_t until_mono_ms;
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
    unsigned runs;  /* that it comes from, as far as they matter */
    bool starved;
    struct pool_entry *next_starved;
    _Atomic(void *) attachment;
    struct pool_entry *next; /* in the bucket */
};

/* Held for a handful of instructions, never across a wait or a system call that may block. */
extern pthread_mutex_t pool_lock;
extern struct pool_limits pool_limits;
extern unsigned pool_tokens; /* of all functions */

/* The line (pool_line.c). All with the lock held. */
void pool_line_add(struct pool_entry *entry, struct waiter *waiter);
void pool_line_remove(struct pool_entry *entry, struct waiter *waiter);
/* The first, who is woken next; there must be one. */
struct waiter *pool_line_take(struct pool_entry *entry);
/* The same of those who wait on this worker: calls are short, and waking one that waits on another costs as much as a call. Whoever stands first is
 * passed over a few times at most. */
struct waiter *pool_line_take_near(struct pool_entry *entry);
/* Refuses those at the end who, as long as calls take now, will not come to their turn in time: sooner rather than when their time is over. Once
 * a process has gone on to the first, that is, who would be counted as one that waits for a whole call otherwise. */
void pool_line_shed(struct pool_entry *entry);
void pool_line_starve(struct pool_entry *entry);
bool pool_line_has_starved(void);
/* The first starved function that somebody still waits for, or NULL. */
struct pool_entry *pool_line_take_starved(void);

/* The idle (pool_idle.c). All with the lock held. */
void pool_idle_add(struct pooled *process);
void pool_idle_remove(struct pooled *process);
struct pooled *pool_idle_take(struct pool_entry *entry); /* one that this worker used last, if there is one; NULL: none */
struct pooled *pool_idle_oldest(void);                   /* stays where it is; NULL: none */
/* Those of other versions than the current as a list by `next`; their tokens are free. */
struct pooled *pool_idle_take_stale(struct pool_entry *entry);

/* Without the lock. */
void pooled_free(struct pooled *process);
void pooled_free_list(struct pooled *list);

#endif
