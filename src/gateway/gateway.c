/*
 * The front door. One function reads from top to bottom what happens to a request: who it really comes from, CORS, health and files, limits
 * and token, then the service it is for; and what every answer carries. Nothing here knows what a service does.
 */
#include "gateway/gateway.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "gateway/addresses.h"
#include "gateway/authenticate.h"
#include "gateway/cors.h"
#include "gateway/limits.h"
#include "gateway/operations.h"
#include "gateway/routes.h"
#include "gateway/security_headers.h"
#include "gateway/settle.h"
#include "gateway/sockets.h"
#include "gateway/static_files.h"
#include "http/problem.h"
#include "http/server.h"
#include "service/health.h"
#include "service/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_PATH "/api/v1/notifications/ws"
#define ROUTE_COOKIE "purser_route"
#define DRAIN_ACCEPT_MS 2000
#define DRAIN_SPREAD_MS 5000

static struct http_server *server;
static struct router *own;
static struct static_files *files;
static struct proxies *proxies; /* replaced whole at a reload */
static uint64_t requests, failures;

static const char *origins(void)
{
    return settings_text("cors_origins");
}

/* All of X-Forwarded-For, joined: a client may send the field more than once. */
static struct text forwarded_for(const struct http_request *request)
{
    struct text all = {"", 0};
    for (unsigned i = 0; i < request->headers.count; i++) {
        const struct http_header *header = &request->headers.list[i];
        if (!text_equal_nocase(header->name, text_of("X-Forwarded-For")))
            continue;
        all.at = arena_printf(request->arena, "%.*s%s%.*s", (int)all.size, all.at, all.size ? "," : "", (int)header->value.size,
                              header->value.at);
        all.size = strlen(all.at);
    }
    return all;
}

static void know_client(struct http_request *request)
{
    internal_strip(&request->headers);
    request->identity = (struct http_identity){0};
    request->client_address = proxies_client(__atomic_load_n(&proxies, __ATOMIC_ACQUIRE), request->arena, request->client_address,
                                             forwarded_for(request));
}

/* ---- who asks ---- */

struct asking {
    struct limits_verdict verdict;
    const char *refused_token; /* why, if a token came and is not good */
    bool expired;
};

/* Identity and limits. False: answered with 429 or 503. A bad token alone is no refusal yet: what anyone may ask needs none. */
static FIBER_FN bool admit(struct http_request *request, struct http_response *response, struct asking *asking)
{
    struct text token = authenticate_token(request);
    if (token.size && !authenticate_known(request, token)) {
        if (!limits_address_has_room(request)) {
            limits_take(request, &asking->verdict);
            limits_refuse(&asking->verdict, response);
            return false;
        }
        enum authenticate_result result = authenticate_verify(request, token, &asking->refused_token);
        if (result == AUTHENTICATE_UNAVAILABLE) {
            problem_unavailable(response, 1, asking->refused_token);
            return false;
        }
        asking->expired = result == AUTHENTICATE_EXPIRED;
    }
    if (limits_take(request, &asking->verdict))
        return true;
    limits_refuse(&asking->verdict, response);
    return false;
}

/* ---- where to ---- */

static bool is_own(struct http_request *request)
{
    unsigned allowed;
    return router_find(own, request, &allowed) || allowed;
}

static FIBER_FN void dispatch(struct http_request *request, struct http_response *response)
{
    const char *service = routes_service_of(request->path);
    if (is_own(request))
        router_handle(own, request, response);
    else if (!service || (strcmp(service, "functions") == 0 && !settings_flag("functions")))
        problem_not_found(response);
    else if (request->upgrade && text_equal(request->path, text_of(SOCKET_PATH)) && !service_is_here(service))
        sockets_open(service, request, response);
    else
        service_call(service, request, response);
    if (service)
        operations_note(service, response->status);
}

/* A page or file of the web app; before the limits: they are there for what costs something. */
static bool answer_file(struct http_request *request, struct http_response *response)
{
    return static_files_answer(files, request, response);
}

/* Behind a balancer a browser's WebSocket should come to the same gateway again: a cookie that says nothing but where to. */
static void set_route_cookie(struct http_request *request, struct http_response *response)
{
    struct text cookies = http_header(&request->headers, "Cookie");
    if (!*settings_text("trusted_proxies") || response->status / 100 != 2 || !text_starts(request->path, text_of("/api/v1/auth/")) ||
        (cookies.size && memmem(cookies.at, cookies.size, ROUTE_COOKIE "=", sizeof ROUTE_COOKIE)))
        return;
    char id[UUID_SIZE];
    uuid_make(id);
    http_header_add(request->arena, &response->headers, "Set-Cookie",
                    arena_printf(request->arena, ROUTE_COOKIE "=%s; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", id));
}

/* Whoever has signed out is out with the answer. */
static void note_logout(const struct http_request *request, const struct http_response *response)
{
    if (response->status == 204 && request->method == HTTP_POST && text_equal(request->path, text_of("/api/v1/auth/logout")) &&
        request->identity.session_id)
        authenticate_session_over(request->identity.session_id);
}

static FIBER_FN void answer(struct http_request *request, struct http_response *response)
{
    struct asking asking = {0};
    know_client(request);
    if (cors_preflight(request, response, origins()) || health_answer(request, response) || answer_file(request, response))
        return;
    if (admit(request, response, &asking)) {
        dispatch(request, response);
        note_logout(request, response);
        if (response->status == 401 && asking.refused_token && !request->identity.user_id)
            problem_unauthorized(response, "invalid_token", asking.refused_token);
        set_route_cookie(request, response);
    }
    limits_decorate(&asking.verdict, response);
}

/* What every answer carries, those that the server makes itself included. */
static void decorate(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    if (request)
        cors_decorate(request, response, origins());
    security_headers(response);
    __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED);
    if (response->status >= 500)
        __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

static FIBER_FN void handle(void *context, struct http_request *request, struct http_response *response)
{
    fiber_narrow_deadline(settings_duration_ms("request_timeout"));
    answer(request, response);
    if (!response->upgraded)
        decorate(context, request, response);
}

/* ---- lifecycle ---- */

static struct operations_own own_numbers(void)
{
    return (struct operations_own){
        .requests = __atomic_load_n(&requests, __ATOMIC_RELAXED),
        .failures = __atomic_load_n(&failures, __ATOMIC_RELAXED),
        .in_flight = http_server_in_flight(server),
        .websockets = sockets_count(),
        .address = http_server_address(server),
    };
}

static int load_proxies(struct err *err)
{
    struct proxies *fresh;
    int error = proxies_parse(settings_text("trusted_proxies"), &fresh, err);
    if (error)
        return error;
    proxies_keep(fresh, proxies);
    __atomic_store_n(&proxies, fresh, __ATOMIC_RELEASE);
    return 0;
}

/* build/web beside build/purser, unless a folder was named. */
static int load_files(struct err *err)
{
    const char *set = settings_text("web");
    char folder[PATH_MAX];
    if (strcmp(set, "off") == 0)
        return 0;
    if (*set)
        return static_files_load(set, &files, err);
    ssize_t size = readlink("/proc/self/exe", folder, sizeof folder - 5);
    if (size <= 0)
        return 0;
    folder[size] = '\0';
    char *slash = strrchr(folder, '/');
    if (!slash || (size_t)(slash + 5 - folder) >= sizeof folder)
        return 0;
    memcpy(slash, "/web", 5);
    if (access(folder, R_OK) == 0)
        return static_files_load(folder, &files, err);
    log_info("no web app here: the API works without it", "{s:s}", "looked_for", folder);
    return 0;
}

static FIBER_FN int start(struct cache *cache, struct err *err)
{
    struct http_server_options options = {
        .name = "gateway", .listen = settings_text("listen"), .handler = {handle, NULL}, .decorate = decorate};
    rate_limit_init(settings_text("internal_secret"));
    limits_load();
    operations_set_source(own_numbers);
    authenticate_on_revoked(sockets_end_session);
    own = router_new(gateway_routes, NULL);
    if (!own)
        return err_set(err, -ENOMEM, "out of memory");
    int error = load_proxies(err);
    if (!error)
        error = load_files(err);
    if (!error)
        error = authenticate_start(cache, err);
    if (!error)
        error = settle_start(cache, err);
    if (!error)
        error = http_server_start(&options, &server, err);
    return error;
}

static const char *address(void)
{
    return server ? http_server_address(server) : "";
}

static void drain(void)
{
    sockets_drain(DRAIN_SPREAD_MS);
    http_server_drain(server, DRAIN_ACCEPT_MS, DRAIN_SPREAD_MS);
}

static unsigned in_flight(void)
{
    return http_server_in_flight(server);
}

static FIBER_FN void stop(void)
{
    settle_stop();
    authenticate_stop();
}

static void reload(void)
{
    struct err err;
    limits_load();
    if (load_proxies(&err))
        log_warn("trusted proxies stay as they were", "{s:s}", "why", err.message);
}

const struct process_front gateway_front = {
    .start = start, .address = address, .drain = drain, .in_flight = in_flight, .stop = stop, .reload = reload,
};
