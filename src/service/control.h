/*
 * The control socket (0600, in the data folder): commands of the same machine's administrator to a running system. One JSON line
 * {service, method, target, body} is answered by one JSON line {status, body}; the call has the rights of an administrator. An empty object is
 * answered by {status, schema}: how many migrations the running system knows, all of which it applied when it started.
 */
#ifndef PURSER_SERVICE_CONTROL_H
#define PURSER_SERVICE_CONTROL_H

#include "base/err.h"
#include "base/json.h"

/* Server side, on worker 0. Replaces a socket that nobody answers on. */
int control_start(struct err *err);
void control_stop(void);

/* Client side, blocking: 0 and status and answer; -ENOENT when no system runs; else negative with words. */
int control_ask(struct arena *arena, const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
                json_t **ret_answer, struct err *err);
/* Client side, blocking: whether a system runs that has brought its tables to where this executable would bring them. */
bool control_schema_is_ours(struct arena *arena);

#endif
