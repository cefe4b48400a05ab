/* What every service answers to other parts of the system, written once: its status, its dead letters. */
#ifndef PURSER_SERVICE_COMMON_ROUTES_H
#define PURSER_SERVICE_COMMON_ROUTES_H

#include "service/registry.h"

/* The service's own routes, or the common ones below /internal. */
FIBER_FN void service_handle(struct running_service *entry, struct http_request *request, struct http_response *response);
/* The router of the common ones, for entry->common. NULL when short of memory. */
struct router *common_router_new(struct running_service *entry);

#endif
