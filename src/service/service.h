/*
 * The skeleton that every service runs in: a table of what it owns, and hooks. One process runs any set of services; those that are here
 * are called directly, those elsewhere over HTTP, by the same call.
 */
#ifndef PURSER_SERVICE_SERVICE_H
#define PURSER_SERVICE_SERVICE_H

#include "engines/cache.h"
#include "engines/database.h"
#include "engines/queue.h"
#include "engines/stream.h"
#include "http/resource.h"
#include "http/router.h"
#include "messaging/dead_letters.h"

/* What a running service stands on; filled by the skeleton before `start`. */
struct service_engines {
    struct database *database;
    struct queue *queue;
    struct stream *stream;
    struct cache *cache;
    struct dead_letters dead_letters;
};

struct service {
    const char *name; /* "orders" */
    const struct route *routes;
    bool has_database, has_outbox;
    bool answers_anyone; /* runs apart without signed internal headers (the sandbox provider is no part of the system) */
    /* On a fiber of worker 0, after migrations: make the context, start consumers. 0 or negative with one line. */
    FIBER_FN int (*start)(struct service_engines *engines, void **ret_context, struct err *err);
    /* On a fiber of worker 0, when no request is at work any more. */
    FIBER_FN void (*stop)(void *context);
    /* Adds members to what /internal/status answers for this service. May be NULL. */
    FIBER_FN void (*status)(void *context, struct arena *arena, json_t *object);
};

/* Whether that service runs in this process. */
bool service_is_here(const char *service);
/* Whether all that instances of the service publish comes to this process now: through a shared cache that is up, or because its one instance
 * is here (an embedded database has one process). */
bool service_is_heard(const char *service, const struct cache *cache);
/* Every service that runs here, for status pages: calls `visit` for each. */
void service_each(void (*visit)(void *arg, const struct service *service, struct service_engines *engines, void *context), void *arg);

/* Defined by the services: users_service, orders_service, payments_service, notifications_service, functions_service, sandbox_service. */

/* Calls a service wherever it is: directly in this process, or over HTTP to its URL with balancing, limits on repeats and signed internal
 * headers. `request` carries method, target, headers, body, identity and trace. Always leaves an answer (503 when nobody is there). */
FIBER_FN void service_call(const char *service, struct http_request *request, struct http_response *response);
/* A small JSON call on behalf of the system (no user): 0 and status and tree, or negative. */
FIBER_FN int service_ask(const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
                         json_t **ret_answer);
/* The same with an administrator's rights: what the command line asks, where no system runs. */
FIBER_FN int service_ask_as_administrator(const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
                                          json_t **ret_answer);

#endif
