/*
 * The processes of every function, kept warm: one pool a function, shared by all event loops. A call checks a process out, and nobody else has
 * it until it is given back; those that wait stand in a line of bounded length, first come, first served.
 */
#ifndef PURSER_FUNCTIONS_POOL_H
#define PURSER_FUNCTIONS_POOL_H

#include "functions/link.h"
#include "functions/rules.h"
#include "functions/version.h"

struct pool_entry; /* a function; lives as long as the service */

struct pooled {
    struct pool_entry *entry;
    struct link *link;
    struct version *version;
    bool cold; /* not loaded yet: the caller loads it */
    int64_t idle_since_mono_ms;
    struct worker *worker; /* that used it last */
    bool trimmed;
    struct pooled *older, *newer; /* among the idle of all functions */
    struct pooled *next;          /* among the idle of this one */
};

struct pool_limits {
    unsigned processes_max; /* of all functions */
    unsigned waiting_max;   /* of one function */
    int64_t wait_max_ms;
    int64_t idle_ms;
};

void pool_set_limits(const struct pool_limits *limits);

/* The entry of that name, made if need be. NULL when memory is short. */
struct pool_entry *pool_entry_get(const char *name);
/* NULL if there is none. */
struct pool_entry *pool_entry_find(const char *name);
void pool_each(void (*visit)(void *arg, struct pool_entry *entry), void *arg);
const char *pool_name(const struct pool_entry *entry);
/* What a layer above keeps beside an entry, for ever: made once by `make(name)`. */
void *pool_attachment(struct pool_entry *entry, void *(*make)(const char *name));

/* Takes over between two calls: processes of another version end when they are given back. NULL: the function is gone, and so are
 * those that wait. Takes the reference over. Changes nothing if the entry was set at that revision of the registry or a later one, for news
 * come from several threads, in any order; nor if it is the version that is there. */
void pool_set_version(struct pool_entry *entry, struct version *version, int64_t revision);
/* A new reference, or NULL. */
struct version *pool_version(struct pool_entry *entry);

/* A process for a call. 0; -EBUSY with the seconds after which to come back: the line is too long for the time there is; -ENOENT: no
 * such function; -ENOTCONN: no host; -ETIMEDOUT; -ECANCELED. */
FIBER_FN int pool_take(struct pool_entry *entry, struct pooled **ret_process, int *ret_retry_after_s);
/* Gives it back; `alive` false: it has ended or is not to be used again. */
void pool_give(struct pooled *process, bool alive);
/* Adds a process that was made apart (a new version that was tried before it was stored). Takes the link over; lets go of it if the version does
 * not answer (any more). */
void pool_add(struct pool_entry *entry, struct link *link, struct version *version);

/* Lets go of idle processes that have ended, as all do when the host does. */
void pool_discard_dead(struct pool_entry *entry);

/* What a call took, for admission and for status: those who would wait too long for their turn by that are refused when its process is given back. */
void pool_note_run(struct pool_entry *entry, int64_t run_us);

struct pool_counts {
    unsigned processes, busy, waiting;
    int64_t run_us;
};
struct pool_counts pool_counts_of(struct pool_entry *entry);
unsigned pool_processes(void);

/* Trims processes that have been idle for a while and ends those that have been for long. Every few seconds, on one worker. */
FIBER_FN void pool_sweep(void);
/* Ends all idle processes. */
void pool_drain(void);

#endif
