/* The front door as a whole, over real sockets, before a user service of four handlers that has one signing key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "contracts/sessions.h"
#include "gateway/gateway.h"
#include "http/client.h"
#include "http/problem.h"
#include "runtime/worker.h"
#include "security/tokens.h"
#include "service/registry.h"

#include <errno.h>
#include <stdio.h>

#define USER "0193f2f0-0000-7000-8000-000000000001"
#define SESSION(n) "0198c0de-0000-7000-8000-00000000000" #n
#define ORIGIN "https://shop.example"

static struct signing_key *key, *next_key;
static struct cache *cache;
static json_t *ended_sessions; /* what /internal/revocations gives */
static struct service_engines engines;

/* ---- the user service ---- */

static FIBER_FN void give_keys(void *context, struct http_request *request, struct http_response *response)
{
    json_t *list = json_make(request->arena, "[O]", signing_key_jwk(request->arena, key));
    if (next_key)
        json_array_append(list, signing_key_jwk(request->arena, next_key));
    respond_json(response, 200, json_make(request->arena, "{s:O}", "keys", list));
}

static FIBER_FN void give_revocations(void *context, struct http_request *request, struct http_response *response)
{
    int64_t after = 0;
    json_t *list = json_make(request->arena, "[]"), *item;
    size_t i;
    text_to_int64(text_of(http_query(request, "after")), &after);
    json_array_foreach(ended_sessions, i, item)
        if (json_get_integer(item, "number") > after)
            json_array_append(list, item);
    respond_json(response, 200, json_make(request->arena, "{s:O, s:i}", "data", list, "last", (int)json_array_size(ended_sessions)));
}

/* What a service sees of the request. */
static FIBER_FN void show(void *context, struct http_request *request, struct http_response *response)
{
    struct text forged = http_header(&request->headers, "X-User-Role");
    respond_json(response, 200, json_make(request->arena, "{s:s?, s:s?, s:s?, s:s, s:b}", "user_id", request->identity.user_id, "role",
                                          request->identity.role, "session_id", request->identity.session_id, "client",
                                          request->client_address, "forged", forged.at != NULL));
}

static FIBER_FN void sign_in(void *context, struct http_request *request, struct http_response *response)
{
    respond_empty(response, 204);
}

static const struct route routes[] = {
    {HTTP_GET, "/.well-known/jwks.json", ROUTE_PUBLIC, give_keys},
    {HTTP_GET, "/internal/revocations", ROUTE_INTERNAL, give_revocations},
    {HTTP_POST, "/api/v1/auth/login", ROUTE_PUBLIC, sign_in},
    {HTTP_GET, "/api/v1/users/me", ROUTE_USER, show},
    {HTTP_GET, "/api/v1/users", ROUTE_ADMIN, show},
    {HTTP_POST, "/api/v1/auth/anyone", ROUTE_PUBLIC, show},
    {0},
};
static const struct service users = {.name = "users", .routes = routes};

/* ---- the caller ---- */

struct ask {
    const char *method, *path, *token, *body;
    const char *headers[4][2];
};

static struct http_response *send_ask(struct ask ask)
{
    struct arena *arena = fiber_arena();
    struct http_response *answer = arena_alloc(arena, sizeof *answer);
    struct http_call call = {.address = gateway_front.address(), .method = ask.method ? ask.method : "GET", .target = ask.path};
    if (ask.token)
        http_header_add(arena, &call.headers, "Authorization", arena_printf(arena, "Bearer %s", ask.token));
    if (ask.body) {
        call.body = text_of(ask.body);
        http_header_add(arena, &call.headers, "Content-Type", "application/json");
    }
    for (int i = 0; i < 4 && ask.headers[i][0]; i++)
        http_header_add(arena, &call.headers, ask.headers[i][0], ask.headers[i][1]);
    assert_int_equal(http_client_call(&call, answer, NULL), 0);
    return answer;
}
#define ASK(...) send_ask((struct ask){__VA_ARGS__})

static const char *header(const struct http_response *answer, const char *name)
{
    struct text value = http_header(&answer->headers, name);
    return value.at ? arena_copy(fiber_arena(), value.at, value.size) : "";
}

static const char *member(const struct http_response *answer, const char *name)
{
    json_t *tree;
    assert_int_equal(json_parse(fiber_arena(), answer->body, &tree, NULL), 0);
    const char *value = json_get_string(tree, name);
    return value ? value : "";
}

static const char *token(struct signing_key *by, const char *role, const char *session_id)
{
    int64_t now = clock_wall_ms();
    struct token_claims claims = {USER, session_id, role, "0193f2f0-0000-7000-8000-0000000000ff", now, now + 900000};
    return token_sign(fiber_arena(), by, &claims);
}

/* ---- the cases: each on the same running gateway, in this order ---- */

static void identity_comes_from_the_token_alone(void)
{
    struct http_response *answer = ASK(.path = "/api/v1/users/me", .headers = {{"X-User-Id", USER}, {"X-User-Role", "admin"}});
    assert_int_equal(answer->status, 401);
    assert_string_equal(header(answer, "WWW-Authenticate"), "Bearer realm=\"purser\"");
    const char *good = token(key, "user", SESSION(1));
    for (int i = 0; i < 2; i++) {
        answer = ASK(.path = "/api/v1/users/me", .token = good,
                     .headers = {{"X-User-Role", "admin"}, {"X-Session-Id", "other"}, {"X-Forwarded-For", "9.9.9.9"}});
        assert_int_equal(answer->status, 200);
        assert_string_equal(member(answer, "user_id"), USER);
        assert_string_equal(member(answer, "role"), "user");
        assert_string_equal(member(answer, "session_id"), SESSION(1));
        assert_string_equal(member(answer, "client"), "127.0.0.1");
        assert_null(strstr(answer->body.at, "\"forged\":true"));
    }
    assert_int_equal(ASK(.path = "/api/v1/users", .token = good)->status, 403);
    assert_int_equal(ASK(.path = "/api/v1/users", .token = token(key, "admin", SESSION(1)))->status, 200);
}

static void bad_tokens_are_refused_where_one_is_needed(void)
{
    struct signing_key *foreign = signing_key_new();
    char *altered = arena_strdup(fiber_arena(), token(key, "user", SESSION(1)));
    altered[strlen(altered) - 10] ^= 1;
    const char *bad[] = {"x", "a.b.c", altered, token(foreign, "user", SESSION(1))};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_response *answer = ASK(.path = "/api/v1/users/me", .token = bad[i]);
        assert_int_equal(answer->status, 401);
        assert_string_equal(header(answer, "WWW-Authenticate"), "Bearer realm=\"purser\", error=\"invalid_token\"");
        assert_string_equal(member(answer, "request_id"), header(answer, "X-Request-Id"));
        answer = ASK(.method = "POST", .path = "/api/v1/auth/anyone", .token = bad[i]);
        assert_int_equal(answer->status, 200);
        assert_string_equal(member(answer, "user_id"), "");
    }
    signing_key_free(foreign);
    const char *alone = token(key, "user", SESSION(1));
    assert_int_equal(ASK(.path = "/api/v1/users/me", .headers = {{"Authorization", alone}})->status, 401);
    assert_int_equal(ASK(.path = "/api/v1/users/me", .headers = {{"Authorization", arena_printf(fiber_arena(), "bearer %s", alone)}})->status,
                     200);
}

static void every_answer_is_dressed(void)
{
    const char *paths[] = {"/api/v1/users/me", "/nothing", "/health/live", "/openapi.json"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct http_response *answer = ASK(.path = paths[i], .headers = {{"Origin", ORIGIN}, {"X-Request-Id", "mine-1"}});
        assert_string_equal(header(answer, "Access-Control-Allow-Origin"), ORIGIN);
        assert_string_equal(header(answer, "X-Content-Type-Options"), "nosniff");
        assert_true(header(answer, "Content-Security-Policy")[0]);
        assert_string_equal(header(answer, "X-Request-Id"), "mine-1");
    }
    struct http_response *answer = ASK(.method = "OPTIONS", .path = "/api/v1/users/me",
                                       .headers = {{"Origin", ORIGIN}, {"Access-Control-Request-Method", "PATCH"}});
    assert_int_equal(answer->status, 204);
    assert_true(header(answer, "Access-Control-Allow-Methods")[0]);
}

static void what_is_internal_is_nowhere(void)
{
    const char *paths[] = {"/internal/revocations?after=0", "/internal/status", "/api/v1/internal/revocations", "/metrics",
                           "/api/v1/../../internal/revocations", "/api/v1/users/../../../internal/revocations?after=0"};
    const char *admin = token(key, "admin", SESSION(1));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(ASK(.path = paths[i], .token = admin)->status, 404);
    assert_int_equal(ASK(.path = "/api/v1/orders", .token = admin)->status, 503); /* not running, and nowhere else */
    struct http_response *answer = ASK(.method = "DELETE", .path = "/api/v1/users/me", .token = admin);
    assert_int_equal(answer->status, 405);
    assert_string_equal(header(answer, "Allow"), "GET, HEAD, OPTIONS");
}

static void operations_are_for_administrators(void)
{
    assert_int_equal(ASK(.path = "/api/v1/operations/status")->status, 401);
    assert_int_equal(ASK(.path = "/api/v1/operations/status", .token = token(key, "user", SESSION(1)))->status, 403);
    struct http_response *answer = ASK(.path = "/api/v1/operations/dead-letters", .token = token(key, "admin", SESSION(1)));
    assert_int_equal(answer->status, 200);
    assert_string_equal(arena_copy(fiber_arena(), answer->body.at, answer->body.size), "{\"data\":[],\"next_cursor\":null}");
}

static void a_new_key_is_fetched_when_a_token_names_it(void)
{
    struct http_response *answer;
    next_key = signing_key_new();
    const char *fresh = token(next_key, "user", SESSION(1));
    int64_t until = clock_mono_ms() + 30000; /* one fetch a cool-down */
    while ((answer = ASK(.path = "/api/v1/users/me", .token = fresh))->status != 200 && clock_mono_ms() < until)
        fiber_sleep(100);
    assert_int_equal(answer->status, 200);
}

static void publish_end(int64_t number, const char *session_id)
{
    struct arena *arena = fiber_arena();
    struct session_ended ended = {.number = number, .session_id = session_id, .user_id = USER};
    json_t *said = session_ended_encode(arena, &ended);
    json_array_append(ended_sessions, said);
    struct text message;
    message.at = json_print(arena, said, &message.size);
    cache_publish(cache, CHANNEL_SESSIONS, message);
}

static void wait_for_401(const char *with)
{
    int64_t until = clock_mono_ms() + 30000;
    while (ASK(.path = "/api/v1/users/me", .token = with)->status != 401 && clock_mono_ms() < until)
        fiber_sleep(10);
    struct http_response *answer = ASK(.path = "/api/v1/users/me", .token = with);
    assert_int_equal(answer->status, 401);
    assert_string_equal(header(answer, "WWW-Authenticate"), "Bearer realm=\"purser\", error=\"invalid_token\"");
}

static void an_ended_session_is_refused(void)
{
    const char *ends = token(key, "user", SESSION(2)), *missed = token(key, "user", SESSION(3));
    const char *stays = token(key, "user", SESSION(1)), *before = token(key, "user", SESSION(0));
    assert_int_equal(ASK(.path = "/api/v1/users/me", .token = ends)->status, 200);
    assert_int_equal(ASK(.path = "/api/v1/users/me", .token = missed)->status, 200);
    wait_for_401(before); /* ended before this gateway began */
    publish_end(2, SESSION(2));
    wait_for_401(ends);
    /* Number 3 is never published; hearing of 4, the gateway asks for what it has missed. */
    struct session_ended silent = {.number = 3, .session_id = SESSION(3), .user_id = USER};
    json_array_append(ended_sessions, session_ended_encode(fiber_arena(), &silent));
    publish_end(4, SESSION(4));
    wait_for_401(missed);
    assert_int_equal(ASK(.path = "/api/v1/users/me", .token = stays)->status, 200);
}

static void limits_are_announced_and_held(void)
{
    struct err err;
    settings_set("rate_limit_ip", "5/1h", &err);
    settings_set("rate_limit_user", "7/1h", &err);
    settings_set("rate_limit_login", "2/1h", &err);
    gateway_front.reload();
    int64_t status[6];
    struct http_response *answer = NULL;
    for (int i = 0; i < 3; i++) {
        answer = ASK(.method = "POST", .path = "/api/v1/auth/login", .body = "{\"email\":\"A@example.com\",\"password\":\"x\"}");
        status[i] = answer->status;
    }
    assert_int_equal(status[0], 204);
    assert_int_equal(status[2], 429);
    assert_string_equal(header(answer, "RateLimit-Policy"), "\"login\";q=2;w=3600");
    int refused = 0;
    for (int i = 0; i < 8; i++) {
        answer = ASK(.path = "/nothing", .headers = {{"Origin", ORIGIN}});
        refused += answer->status == 429;
    }
    assert_true(refused >= 3);
    /* A provider's callbacks have a limit of their own. */
    settings_set("rate_limit_callback", "2/1h", &err);
    gateway_front.reload();
    for (int i = 0; i < 3; i++) {
        const struct http_response *called = ASK(.method = "POST", .path = "/api/v1/payments/callbacks/sandbox", .body = "{}");
        assert_string_equal(header(called, "RateLimit-Policy"), "\"callback\";q=2;w=3600");
        assert_int_equal(called->status == 429, i == 2);
    }
    int64_t wait_s = 0;
    text_to_int64(text_of(header(answer, "Retry-After")), &wait_s);
    assert_true(wait_s >= 1 && wait_s <= 3600);
    assert_string_equal(header(answer, "Access-Control-Allow-Origin"), ORIGIN);
    assert_string_equal(header(answer, "RateLimit-Policy"), "\"ip\";q=5;w=3600");
    /* Whoever has a verified token has a limit of their own, though the address has nothing left; health is always answered. */
    answer = ASK(.path = "/api/v1/users/me", .token = token(key, "user", SESSION(1)));
    assert_int_equal(answer->status, 429); /* not verified yet: no signature is computed for an address that has had its share */
    assert_int_equal(ASK(.path = "/health/live")->status, 200);
}

static void (*const cases[])(void) = {
    identity_comes_from_the_token_alone, bad_tokens_are_refused_where_one_is_needed, every_answer_is_dressed, what_is_internal_is_nowhere,
    operations_are_for_administrators,   a_new_key_is_fetched_when_a_token_names_it, an_ended_session_is_refused,
    limits_are_announced_and_held,
};

/* ---- running ---- */

static bool finished;

static void start_users(void)
{
    struct running_service *entry = registry_add(&users);
    entry->engines = engines;
    entry->router = router_new(routes, NULL);
    assert_non_null(entry->router);
    registry_open(entry);
}

static void run_cases(void *arg)
{
    struct err err = {0};
    struct session_ended before = {.number = 1, .session_id = SESSION(0), .user_id = USER};
    key = signing_key_new();
    ended_sessions = json_make(fiber_arena(), "[O]", session_ended_encode(fiber_arena(), &before));
    assert_int_equal(cache_open(&cache, &err), 0);
    start_users();
    if (gateway_front.prepare(&err) || gateway_front.start(cache, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cases[i]();
    gateway_front.drain();
    gateway_front.stop();
    cache_close(cache);
    signing_key_free(key);
    signing_key_free(next_key);
    finished = true;
    workers_stop();
}

static void the_front_door(void **state)
{
    struct err err = {0};
    const char *const set[][2] = {{"listen", "127.0.0.1:0"}, {"web", "off"}, {"cors_origins", ORIGIN}, {"rate_limit_ip", "off"},
                                  {"rate_limit_user", "off"}, {"rate_limit_login", "off"}};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        assert_int_equal(settings_set(set[i][0], set[i][1], &err), 0);
    log_set_level(LOG_ERROR);
    assert_int_equal(workers_start(2, &err), 0);
    assert_int_equal(fiber_start("cases", run_cases, NULL), 0);
    worker_run();
    assert_true(finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_front_door)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
