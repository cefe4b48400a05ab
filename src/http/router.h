/* Routes: method and pattern to handler. 404, 405 with Allow, HEAD by GET, automatic OPTIONS. */
#ifndef PURSER_HTTP_ROUTER_H
#define PURSER_HTTP_ROUTER_H

#include "http/message.h"
#include "http/problem.h"

enum route_access {
    ROUTE_PUBLIC,   /* anyone */
    ROUTE_USER,     /* a valid token */
    ROUTE_ADMIN,    /* role admin, else 403 */
    ROUTE_INTERNAL, /* never through the gateway */
};

struct route {
    enum http_method method;
    const char *pattern; /* "/api/v1/orders/{id}/cancel"; {x} matches one non-empty segment; a last {x...} matches the rest */
    enum route_access access;
    FIBER_FN void (*handle)(void *context, struct http_request *request, struct http_response *response);
};

struct router;
/* `routes` ends with a pattern of NULL and must live as long as the router. NULL when memory is short. */
struct router *router_new(const struct route *routes, void *context);
void router_free(struct router *router);
/* Finds the route and its parameters and calls it after checking `access` against request->identity; else answers. */
FIBER_FN void router_handle(struct router *router, struct http_request *request, struct http_response *response);
/* The route that would be taken, or NULL; fills ret_allowed with a bit per enum http_method that the path has. */
const struct route *router_find(const struct router *router, struct http_request *request, unsigned *ret_allowed);

#endif
