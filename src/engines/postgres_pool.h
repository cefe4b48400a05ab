/* The connections of one schema: a few for each worker, made when they are needed, and a fiber that looks for an engine that is away. */
#ifndef PURSER_ENGINES_POSTGRES_POOL_H
#define PURSER_ENGINES_POSTGRES_POOL_H

#include "engines/postgres_connection.h"

struct postgres_pool;

/* On a fiber of worker 0. Takes the address over. NULL when memory is short. */
struct postgres_pool *postgres_pool_new(struct postgres_address *address);
/* Closes every connection on its own worker. */
FIBER_FN void postgres_pool_free(struct postgres_pool *pool);
bool postgres_pool_is_up(const struct postgres_pool *pool);
const struct postgres_address *postgres_pool_address(const struct postgres_pool *pool);

/* A connection of the calling worker. 0; -EAGAIN at once while the engine is away; -ETIMEDOUT or -ECANCELED while it waits for others. */
FIBER_FN int postgres_pool_take(struct postgres_pool *pool, struct postgres_connection **ret_connection);
/* Gives it back; one that is lost is closed. */
void postgres_pool_give(struct postgres_pool *pool, struct postgres_connection *connection);

#endif
