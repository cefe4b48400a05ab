/*
 * What a process of several on one schema has to itself, on a connection of its own: advisory locks, which end with that connection or
 * when this process stands still for 5 s, and signals to the other processes (NOTIFY). Worker 0 alone.
 */
#ifndef PURSER_ENGINES_POSTGRES_LOCKS_H
#define PURSER_ENGINES_POSTGRES_LOCKS_H

#include "engines/postgres_pool.h"

struct postgres_locks;

/* Connects at first use; the pool outlives it. NULL when memory is short. */
struct postgres_locks *postgres_locks_new(struct postgres_pool *pool, const char *schema);
FIBER_FN void postgres_locks_free(struct postgres_locks *locks);

/* See database_own, database_signal and database_on_signal. */
FIBER_FN unsigned postgres_locks_own(struct postgres_locks *locks, int first, unsigned count, bool *ret_owned);
FIBER_FN void postgres_locks_signal(struct postgres_locks *locks);
void postgres_locks_on_signal(struct postgres_locks *locks, void (*heard)(void *arg), void *arg);
/* One number for each schema. */
int64_t postgres_schema_number(const char *schema);

#endif
