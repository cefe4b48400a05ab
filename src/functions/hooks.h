/*
 * What makes functions run without being called: queues, topics, the clock. Each cause becomes one job for each function hooked on it, on the
 * durable queue functions.invocations, and so do asynchronous calls; workers.c runs the jobs.
 */
#ifndef PURSER_FUNCTIONS_HOOKS_H
#define PURSER_FUNCTIONS_HOOKS_H

#include "functions/service_context.h"
#include "functions/store.h"

/* Reads the triggers of all functions into memory. After every change of the registry. */
FIBER_FN int hooks_reload(struct database *database);

/* Starts listening to queues and topics. */
FIBER_FN int hooks_start(struct functions_context *context, struct err *err);

/* Jobs for the functions whose schedule has that minute (since 1970). */
FIBER_FN int hooks_minute(struct database *database, int64_t minute);

/* The job of an asynchronous call. */
int hooks_queue_invocation_tx(struct transaction *tx, const struct stored_invocation *invocation);

/* Starts the consumers of functions.invocations (workers.c). */
FIBER_FN int function_workers_consume(struct functions_context *context, struct err *err);

#endif
