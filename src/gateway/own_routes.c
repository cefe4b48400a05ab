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

/* Pages of the web app are answered before routes are looked at: who comes here has found none. */
static FIBER_FN void page(void *context, struct http_request *request, struct http_response *response)
{
    (void)context, (void)request;
    problem(response, 404, "not-found",
            "The web app is not served here (\"make web\" builds it). The API is below /api/v1 and described at /openapi.json.");
}

const struct route gateway_routes[] = {
    {HTTP_GET, "/openapi.json", ROUTE_PUBLIC, openapi},
    {HTTP_GET, "/", ROUTE_PUBLIC, page},
    {HTTP_GET, "/docs", ROUTE_PUBLIC, page},
    {HTTP_GET, "/health/live", ROUTE_PUBLIC, health},
    {HTTP_GET, "/health/ready", ROUTE_PUBLIC, health},
    {HTTP_GET, "/api/v1/operations/status", ROUTE_ADMIN, operations_status},
    {HTTP_GET, "/api/v1/operations/ledger", ROUTE_ADMIN, operations_ledger},
    {HTTP_GET, "/api/v1/operations/dead-letters", ROUTE_ADMIN, operations_dead_letters},
    {HTTP_POST, "/api/v1/operations/dead-letters/{id}/retry", ROUTE_ADMIN, operations_dead_letter_retry},
    {HTTP_DELETE, "/api/v1/operations/dead-letters/{id}", ROUTE_ADMIN, operations_dead_letter_drop},
    {0},
};
