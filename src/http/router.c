/*
 * Routes. Patterns are cut into segments once; a lookup walks the list of its process's routes, which are some dozens, comparing segments.
 * Fixed segments win over parameters by the order in the table.
 */
#include "http/router.h"

#include "http/problem.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX 10
#define PARAMETERS_MAX 4

struct entry {
    const struct route *route;
    struct text segments[SEGMENTS_MAX];
    unsigned count;
    bool rest; /* the last one takes all that is left */
};

struct router {
    void *context;
    unsigned count;
    struct entry entries[];
};

static const char *const method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

static unsigned cut(struct text path, struct text *ret_segments)
{
    unsigned count = 0;
    if (!path.size || path.at[0] != '/')
        return SEGMENTS_MAX + 1;
    path.at++;
    path.size--;
    for (;;) {
        const char *slash = memchr(path.at, '/', path.size);
        size_t size = slash ? (size_t)(slash - path.at) : path.size;
        if (count == SEGMENTS_MAX)
            return SEGMENTS_MAX + 1;
        ret_segments[count++] = (struct text){path.at, size};
        if (!slash)
            return count;
        path.at += size + 1;
        path.size -= size + 1;
    }
}

struct router *router_new(const struct route *routes, void *context)
{
    unsigned count = 0;
    while (routes[count].pattern)
        count++;
    struct router *router = calloc(1, sizeof *router + count * sizeof(struct entry));
    if (!router)
        return NULL;
    router->context = context;
    router->count = count;
    for (unsigned i = 0; i < count; i++) {
        struct entry *entry = &router->entries[i];
        entry->route = &routes[i];
        entry->count = cut(text_of(routes[i].pattern), entry->segments);
        struct text last = entry->segments[entry->count - 1];
        entry->rest = last.size > 5 && memcmp(last.at + last.size - 4, "...}", 4) == 0;
    }
    return router;
}

void router_free(struct router *router)
{
    free(router);
}

static bool is_parameter(struct text segment)
{
    return segment.size > 2 && segment.at[0] == '{';
}

/* Raw parameters into `ret_values`; their number, or -1 for no match. */
static int match(const struct entry *entry, const struct text *segments, unsigned count, struct text *ret_values)
{
    int values = 0;
    if (entry->rest ? count < entry->count : count != entry->count)
        return -1;
    for (unsigned i = 0; i < entry->count; i++) {
        if (!is_parameter(entry->segments[i])) {
            if (!text_equal(entry->segments[i], segments[i]))
                return -1;
            continue;
        }
        if (!segments[i].size || values == PARAMETERS_MAX)
            return -1;
        ret_values[values] = segments[i];
        if (entry->rest && i + 1 == entry->count)
            ret_values[values].size = (size_t)(segments[count - 1].at + segments[count - 1].size - segments[i].at);
        values++;
    }
    return values;
}

const struct route *router_find(const struct router *router, struct http_request *request, unsigned *ret_allowed)
{
    struct text segments[SEGMENTS_MAX];
    unsigned count = cut(request->path, segments);
    enum http_method method = request->method;
    const struct route *found = NULL;
    *ret_allowed = 0;
    for (unsigned i = 0; count <= SEGMENTS_MAX && i < router->count; i++) {
        struct text values[PARAMETERS_MAX];
        const struct route *route = router->entries[i].route;
        int n = match(&router->entries[i], segments, count, values);
        if (n < 0)
            continue;
        *ret_allowed |= 1u << route->method;
        if (found || (route->method != method && !(method == HTTP_HEAD && route->method == HTTP_GET)))
            continue;
        for (int k = 0; k < n; k++) {
            char *decoded = http_percent_decode(request->arena, values[k]);
            request->parameters[k] = text_of(decoded ? decoded : "");
        }
        found = route;
    }
    if (*ret_allowed & (1u << HTTP_GET))
        *ret_allowed |= 1u << HTTP_HEAD;
    if (*ret_allowed)
        *ret_allowed |= 1u << HTTP_OPTIONS;
    return found;
}

static void answer_allowed(struct http_request *request, struct http_response *response, unsigned allowed)
{
    struct buffer list = {0};
    for (unsigned i = 0; i < sizeof method_names / sizeof *method_names; i++)
        if (allowed & (1u << i))
            buffer_printf(&list, "%s%s", list.size ? ", " : "", method_names[i]);
    char *allow = arena_copy(response->arena, list.size ? list.at : "", list.size);
    buffer_fini(&list);
    if (request->method == HTTP_OPTIONS)
        respond_empty(response, 204);
    else
        problem(response, 405, "method-not-allowed", "This resource knows %s.", allow);
    http_header_set(response->arena, &response->headers, "Allow", allow);
}

FIBER_FN void router_handle(struct router *router, struct http_request *request, struct http_response *response)
{
    unsigned allowed;
    const struct route *route = router_find(router, request, &allowed);
    if (!route && allowed)
        answer_allowed(request, response, allowed);
    else if (!route)
        problem_not_found(response);
    else if ((route->access == ROUTE_USER || route->access == ROUTE_ADMIN) && !request->identity.user_id)
        problem_unauthorized(response, NULL, "This needs an access token.");
    else if (route->access == ROUTE_ADMIN && strcmp(request->identity.role ? request->identity.role : "", "admin") != 0)
        problem_forbidden(response, "This is for administrators.");
    else if (!http_query_is_clear(request))
        problem(response, 400, "malformed", "The query has a parameter twice, or more than %d of them.", HTTP_PARAMETERS_MAX);
    else {
        request->route = route->pattern;
        route->handle(router->context, request, response);
    }
}
