/* CORS. Only listed origins get headers; credentials are allowed to them, for the refresh cookie. */
#include "gateway/cors.h"

#define METHODS "GET, HEAD, POST, PUT, PATCH, DELETE"
#define REQUEST_HEADERS "Authorization, Content-Type, Idempotency-Key, Prefer, X-Request-Id, X-Session-Mode, traceparent"
#define RESPONSE_HEADERS "Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"

static bool is_listed(struct text origin, const char *origins)
{
    struct text rest = text_of(origins), part;
    while (text_split(&rest, ',', &part))
        if (origin.size && text_equal(text_trim(part), origin))
            return true;
    return false;
}

bool cors_is_allowed(const struct http_request *request, struct text origin, const char *origins)
{
    if (is_listed(origin, origins))
        return true;
    struct text host = http_header(&request->headers, "Host");
    struct text schemes[] = {text_of("http://"), text_of("https://")};
    for (unsigned i = 0; host.size && i < 2; i++)
        if (text_starts(origin, schemes[i]) &&
            text_equal_nocase((struct text){origin.at + schemes[i].size, origin.size - schemes[i].size}, host))
            return true;
    return false;
}

bool cors_preflight(struct http_request *request, struct http_response *response, const char *origins)
{
    struct text origin = http_header(&request->headers, "Origin");
    if (request->method != HTTP_OPTIONS || !origin.at || !http_header(&request->headers, "Access-Control-Request-Method").at)
        return false;
    respond_empty(response, 204);
    if (is_listed(origin, origins)) {
        http_header_set(response->arena, &response->headers, "Access-Control-Allow-Methods", METHODS);
        http_header_set(response->arena, &response->headers, "Access-Control-Allow-Headers", REQUEST_HEADERS);
        http_header_set(response->arena, &response->headers, "Access-Control-Max-Age", "600");
    }
    return true;
}

void cors_decorate(const struct http_request *request, struct http_response *response, const char *origins)
{
    struct arena *arena = response->arena;
    struct text origin = http_header(&request->headers, "Origin");
    if (*origins)
        http_header_add(arena, &response->headers, "Vary", "Origin");
    if (!origin.at || !is_listed(origin, origins))
        return;
    http_header_set(arena, &response->headers, "Access-Control-Allow-Origin", arena_copy(arena, origin.at, origin.size));
    http_header_set(arena, &response->headers, "Access-Control-Allow-Credentials", "true");
    http_header_set(arena, &response->headers, "Access-Control-Expose-Headers", RESPONSE_HEADERS);
}
