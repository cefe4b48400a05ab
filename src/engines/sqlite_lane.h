/*
 * A lane: a thread with a connection of its own that runs the bodies handed to it, in order of arrival. The writer's lane runs all
 * that wait as one group, made durable by one commit; the scanner's runs one after the other.
 */
#ifndef PURSER_ENGINES_SQLITE_LANE_H
#define PURSER_ENGINES_SQLITE_LANE_H

#include "engines/sqlite_connection.h"

struct sqlite_lane;

/* Takes the connection over. NULL when memory or threads are short (the connection is closed then). */
struct sqlite_lane *sqlite_lane_new(struct sqlite_connection *connection, bool writer);
/* Runs what waits, then ends the thread. NULL is fine. */
void sqlite_lane_free(struct sqlite_lane *lane);
/* Parks the calling fiber until the body has run (and, on the writer's lane, is durable). As database_transact. */
FIBER_FN int sqlite_lane_run(struct sqlite_lane *lane, struct transaction *tx, transaction_body *body, void *arg);

/* Runs one body as a transaction on this thread: `begin` is BEGIN or BEGIN IMMEDIATE. */
int sqlite_run_alone(struct sqlite_connection *connection, const char *begin, struct transaction *tx, transaction_body *body, void *arg);

#endif
