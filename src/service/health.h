/* Liveness, readiness and metrics, as every service and the admin address answer them. */
#ifndef PURSER_SERVICE_HEALTH_H
#define PURSER_SERVICE_HEALTH_H

#include "http/router.h"

/* GET /health/live and GET /health/ready. True if it was one of them and has been answered. Readiness is 503 only while draining or with a
 * database away, or before what is awaited is there; other engines that are away make it degraded. */
bool health_answer(struct http_request *request, struct http_response *response);
/* GET /metrics too: for the admin address alone. */
struct http_handler health_admin_handler(void);
/* Engine name to watch: `is_up(arg)` is asked at each readiness question. A database that is away makes readiness 503. */
void health_watch(const char *name, bool is_database, bool (*is_up)(const void *arg), const void *arg);
/* What a process needs besides engines before it is ready: until `is_there()` says so, readiness is 503 and names it. */
void health_await(const char *name, bool (*is_there)(void));
/* Says more in readiness, such as missing walls of a sandbox: adds `text` to the list `notes`. */
void health_note(const char *text);
void health_set_draining(void);
/* The engines as an object name → "up" | "away". */
json_t *health_engines(struct arena *arena);

#endif
