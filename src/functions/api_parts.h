/* What the handlers of functions share. */
#ifndef PURSER_FUNCTIONS_API_PARTS_H
#define PURSER_FUNCTIONS_API_PARTS_H

#include "functions/api.h"
#include "functions/store.h"
#include "http/resource.h"

/* Of a handler's context. */
struct database *functions_database(void *context);

/* The {name} of the path, NUL-terminated, or NULL after a 404 if it cannot be one. */
const char *functions_api_name(struct http_request *request, struct http_response *response);

/* JSON that was stored; null if there is none. */
json_t *functions_tree(struct arena *arena, const char *text);
json_t *functions_time(struct arena *arena, int64_t wall_ms);
/* A function as it is answered; an admin sees settings and source. */
json_t *functions_show(struct arena *arena, const struct stored_version *version, bool admin);

#endif
