/* What the gateway answers itself: health, operations, the API's description. */
#include "gateway/gateway.h"
#include "gateway/openapi_file.h"
#include "gateway/operations.h"
#include "http/problem.h"
#include "service/health.h"

static FIBER_FN void health(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    health_answer(request, response);
}

static FIBER_FN void openapi(void *context, struct http_request *request, struct http_response *response)
{
    (void)context, (void)request;
    respond_bytes(response, 200, "application/json", (struct text){openapi_json, openapi_json_size});
    http_header_set(response->arena, &response->headers, "Cache-Control", "no-cache");
}

/* The rendered reference is a page of the web app; where that is not built, its absence is said. */
static FIBER_FN void docs(void *context, struct http_request *request, struct http_response *response)
{
    (void)context, (void)request;
    problem(response, 404, "not-found", "The rendered reference comes with the web app, which is not built here; see /openapi.json.");
}

const struct route gateway_routes[] = {
    {HTTP_GET, "/openapi.json", ROUTE_PUBLIC, openapi},
    {HTTP_GET, "/docs", ROUTE_PUBLIC, docs},
    {HTTP_GET, "/health/live", ROUTE_PUBLIC, health},
    {HTTP_GET, "/health/ready", ROUTE_PUBLIC, health},
    {HTTP_GET, "/api/v1/operations/status", ROUTE_ADMIN, operations_status},
    {HTTP_GET, "/api/v1/operations/ledger", ROUTE_ADMIN, operations_ledger},
    {HTTP_GET, "/api/v1/operations/dead-letters", ROUTE_ADMIN, operations_dead_letters},
    {HTTP_POST, "/api/v1/operations/dead-letters/{id}/retry", ROUTE_ADMIN, operations_dead_letter_retry},
    {HTTP_DELETE, "/api/v1/operations/dead-letters/{id}", ROUTE_ADMIN, operations_dead_letter_drop},
    {0},
};
