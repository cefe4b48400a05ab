/* What could not be handled: each service's table, and its internal routes, which the gateway merges under /operations. Ids are
 * "<service>.<uuid>". */
#ifndef PURSER_MESSAGING_DEAD_LETTERS_H
#define PURSER_MESSAGING_DEAD_LETTERS_H

#include "engines/database.h"
#include "engines/queue.h"
#include "http/router.h"

/* Handlers for GET /internal/dead-letters, POST /internal/dead-letters/{id}/retry, DELETE /internal/dead-letters/{id}; context is a
 * struct dead_letters. An item: {id, service, source (queue or topic/group), event_id, type, error, attempts, body, created_at}. */
struct dead_letters {
    const char *service;
    struct database *database;
    struct queue *queue;
};
FIBER_FN void dead_letters_list(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void dead_letters_retry(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void dead_letters_drop(void *context, struct http_request *request, struct http_response *response);

#endif
