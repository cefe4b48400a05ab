/*
 * The front door. One function reads from top to bottom what happens to a request: who it really comes from, CORS, health and files, limits
 * and token, then the service it is for; and what every answer carries. Nothing here knows what a service does.
 */
#include "gateway/gateway.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/recent.h"
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
#include "gateway/web_app.h"
#include "http/problem.h"
#include "http/server.h"
#include "service/health.h"
#include "service/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AWAIT_MS 5000 /* for what a gateway has to know of tokens */
#define SOCKET_PATH "/api/v1/notifications/ws"
#define ROUTE_COOKIE "purser_route"
#define DRAIN_SPREAD_MS 5000
#define REFUSED_PAUSE_MS 100

static struct http_server *server;
static struct router *own;
static struct proxies *proxies; /* replaced whole at a reload */
static struct recent *recent; /* answers of every kind */

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

static const char *real_address(const struct http_request *request)
{
    return proxies_client(__atomic_load_n(&proxies, __ATOMIC_ACQUIRE), request->arena, request->client_address, forwarded_for(request));
}

static void know_client(struct http_request *request)
{
    internal_strip(&request->headers);
    request->identity = (struct http_identity){0};
    request->client_address = real_address(request);
}

/* ---- who asks ---- */

struct asking {
    struct limits_verdict verdict;
    const char *refused_token; /* why, if a token came and is not good */
};

/* Identity and limits. False: answered with 429 or 503. A bad token alone is no refusal yet: what anyone may ask needs none. */
static FIBER_FN bool admit(struct http_request *request, struct http_response *response, struct asking *asking)
{
    struct text token = authenticate_token(request);
    if (token.size && !authenticate_known(request, token)) {
        if (!limits_address_has_room(request->client_address)) {
            limits_take(request, &asking->verdict);
            limits_refuse(&asking->verdict, response);
            return false;
        }
        enum authenticate_result result = authenticate_verify(request, token, &asking->refused_token);
        if (result == AUTHENTICATE_UNAVAILABLE) {
            problem_unavailable(response, 1, asking->refused_token);
            return false;
        }
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
    const char *service = routes_service_of(request->path), *group = routes_group_of(request->path);
    int64_t began_us = clock_mono_us();
    if (is_own(request))
        router_handle(own, request, response);
    else if (!service || (strcmp(service, "functions") == 0 && !settings_flag("functions")))
        problem_not_found(response);
    else if (request->upgrade && text_equal(request->path, text_of(SOCKET_PATH)) && !service_is_here(service))
        sockets_open(service, request, response);
    else
        service_call(service, request, response);
    if (group && !response->upgraded)
        recent_note(recent_get(RECENT_ROUTES, group), 1, response->status >= 500, clock_mono_us() - began_us);
}

/* Pre-flights, health, pages and files of the web app count nowhere: limits are there for what costs something. */
static bool answer_uncounted(struct http_request *request, struct http_response *response)
{
    return cors_preflight(request, response, origins()) || health_answer(request, response) || web_app_answer(request, response);
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

/* Whoever asks again as soon as he is refused would get as many answers as the cores give. A proxy's connection is everybody's. */
static void slow_down(const struct http_request *request, struct http_response *response)
{
    bool too_many = response->status == 429 || (response->status == 503 && limits_is_login(request));
    if (too_many && !*settings_text("trusted_proxies"))
        response->pause_ms = REFUSED_PAUSE_MS;
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
    if (!answer_uncounted(request, response) && admit(request, response, &asking)) {
        dispatch(request, response);
        note_logout(request, response);
        if (response->status == 401 && asking.refused_token && !request->identity.user_id)
            problem_unauthorized(response, "invalid_token", asking.refused_token);
        set_route_cookie(request, response);
    }
    if (!asking.verdict.policy)
        limits_peek(request->client_address, &asking.verdict);
    limits_decorate(&asking.verdict, response);
    slow_down(request, response);
}

/* What every answer carries, beside what is left of a limit. */
static void dress(const struct http_request *request, struct http_response *response, int64_t took_us)
{
    cors_decorate(request, response, origins());
    security_headers(response);
    recent_note(recent, 1, response->status >= 500, took_us);
}

/* The server's own: it has refused the request before anything could be counted. */
static void decorate_refusal(void *context, const struct http_request *request, struct http_response *response)
{
    struct limits_verdict verdict;
    (void)context;
    limits_peek(real_address(request), &verdict);
    limits_decorate(&verdict, response);
    if (response->status == 400)
        web_app_refuse(request, response); /* whoever mistyped an address is shown a page */
    dress(request, response, -1);
}

static FIBER_FN void handle(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    int64_t began_us = clock_mono_us();
    fiber_narrow_deadline(settings_duration_ms("request_timeout"));
    answer(request, response);
    if (!response->upgraded)
        dress(request, response, clock_mono_us() - began_us);
}

/* ---- lifecycle ---- */

static struct operations_own own_numbers(void)
{
    return (struct operations_own){
        .in_flight = http_server_in_flight(server),
        .websockets = sockets_count(),
        .address = http_server_address(server),
    };
}

static int check_proxies(const char *variable, const char *text, struct err *err)
{
    (void)variable;
    struct proxies *parsed = NULL;
    int error = proxies_parse(text, &parsed, err);
    proxies_free(parsed);
    return error;
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

static FIBER_FN void stop(void)
{
    settle_stop();
    authenticate_stop();
}

static FIBER_FN int prepare(struct err *err)
{
    int error = http_server_check(settings_text("listen"), err);
    if (!error)
        error = settings_check_by("trusted_proxies", check_proxies, err);
    if (!error)
        error = load_proxies(err);
    return error ? error : web_app_start(err);
}

static FIBER_FN int start(struct cache *cache, struct err *err)
{
    struct http_server_options options = {
        .name = "gateway", .listen = settings_text("listen"), .handler = {handle, NULL}, .decorate = decorate_refusal};
    health_await("keys", authenticate_has_keys);
    rate_limit_init(settings_text("internal_secret"));
    limits_load();
    recent = recent_get(RECENT_SERVICE, "gateway");
    operations_set_source(own_numbers);
    own = router_new(gateway_routes, NULL);
    if (!own)
        return err_set(err, -ENOMEM, "out of memory");
    int error = authenticate_start(cache, sockets_end_session, err);
    if (!error)
        error = settle_start(cache, err);
    /* A balancer sends requests as soon as the door is open, and tokens among them. Without the user service it opens all the same: most is
     * refused then, and readiness says why. */
    bool is_prepared = !error && authenticate_await(AWAIT_MS);
    if (!error)
        error = http_server_start(&options, &server, err);
    if (error) {
        stop(); /* its fibers would outlive the cache */
        return error;
    }
    /* Not before: a start that fails says nothing but why. */
    if (!is_prepared)
        log_warn("the door opens without keys of tokens, or without the sessions that have ended", NULL);
    web_app_say_if_none();
    return 0;
}

static const char *address(void)
{
    return server ? http_server_address(server) : "";
}

static void drain(void)
{
    sockets_drain(DRAIN_SPREAD_MS);
    http_server_drain(server, settings_duration_ms("drain_accept"), DRAIN_SPREAD_MS);
}

static unsigned in_flight(void)
{
    return http_server_in_flight(server);
}

static void reload(void)
{
    struct err err;
    limits_load();
    web_app_reload();
    if (load_proxies(&err))
        log_warn("trusted proxies stay as they were", "{s:s}", "why", err.message);
}

const struct process_front gateway_front = {
    .prepare = prepare,
    .start = start,
    .address = address,
    .drain = drain,
    .in_flight = in_flight,
    .stop = stop,
    .reload = reload,
};
