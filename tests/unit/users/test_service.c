/*
 * The user service through its routes, on SQLite and the embedded cache: what a client sees, and what happens when memory is short at any
 * point of a request: the request is lost, nothing that was acknowledged is, and the next one is served.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engines/on_database.h"
#include "users/users.h"

#include <sodium.h>

#define PASSWORD "a long enough password"

static struct router *router;
static struct service_engines engines;

struct asking {
    enum http_method method;
    const char *target, *body;
    struct http_identity identity;
    long fail_from; /* 0: memory is there */
    /* Of the answer. */
    int status; /* 0: abandoned */
    char text[4096];
    bool failed, done;
};

static void run(void *arg)
{
    struct asking *asking = arg;
    struct http_request *request = arena_alloc(fiber_arena(), sizeof *request);
    struct http_response *response = arena_alloc(fiber_arena(), sizeof *response);
    *request = (struct http_request){
        .arena = fiber_arena(),
        .method = asking->method,
        .method_name = text_of("METHOD"),
        .target = text_of(asking->target),
        .path = text_of(asking->target),
        .body = text_of(asking->body),
        .client_address = "127.0.0.1",
        .identity = asking->identity,
    };
    response->arena = fiber_arena();
    if (asking->body)
        http_header_add(fiber_arena(), &request->headers, "Content-Type", "application/json");
    memory_fail_from(asking->fail_from);
    router_handle(router, request, response);
    void *probe = memory_get(1);
    asking->failed = !probe;
    free(probe);
    memory_fail_from(0);
    asking->status = response->status;
    snprintf(asking->text, sizeof asking->text, "%.*s", (int)response->body.size, response->body.at ? response->body.at : "");
    asking->done = true;
}

static void abandoned(void *arg)
{
    struct asking *asking = arg;
    memory_fail_from(0);
    asking->failed = asking->done = true;
}

static int ask(struct asking *asking)
{
    const struct fiber_options options = {.name = "asking", .run = run, .arg = asking, .abandoned = abandoned};
    asking->done = false;
    asking->status = 0;
    must(fiber_start_with(&options, NULL), "fiber");
    while (!asking->done)
        fiber_sleep(1);
    return asking->status;
}

static int post(const char *target, const char *body, struct asking *ret_asked)
{
    *ret_asked = (struct asking){.method = HTTP_POST, .target = target, .body = body};
    return ask(ret_asked);
}

static const char *member(const struct asking *asked, const char *name)
{
    json_t *tree;
    must(json_parse(fiber_arena(), text_of(asked->text), &tree, NULL), "json");
    const char *value = json_get_string(tree, name);
    return value ? value : json_get_string(json_object_get(tree, "user"), name);
}

static char *credentials(const char *email)
{
    return arena_printf(fiber_arena(), "{\"email\":\"%s\",\"password\":\"" PASSWORD "\"}", email);
}

static char *account(const char *email)
{
    return arena_printf(fiber_arena(), "{\"email\":\"%s\",\"password\":\"" PASSWORD "\",\"name\":\"Ada\"}", email);
}

static void signing_in_and_on(void)
{
    struct asking asked;
    assert_int_equal(post("/api/v1/auth/register", account("ada@example.com"), &asked), 201);
    const char *id = arena_strdup(fiber_arena(), member(&asked, "id"));
    assert_int_equal(post("/api/v1/auth/register", account("ADA@example.com"), &asked), 409);
    assert_int_equal(post("/api/v1/auth/login", credentials("ada@example.com"), &asked), 200);
    assert_int_equal(post("/api/v1/auth/login", credentials("eve@example.com"), &asked), 401);
    struct asking me = {.method = HTTP_GET, .target = "/api/v1/users/me", .identity = {.user_id = id, .role = "user", .session_id = "s"}};
    assert_int_equal(ask(&me), 200);
    assert_string_equal(member(&me, "email"), "ada@example.com");
    assert_int_equal(ask(&me), 200);
}

/* ---- memory ---- */

/* The request with every allocation failing in turn, until it has enough; `after` judges each. */
static void starve(struct asking *asking, void (*after)(struct asking *asking))
{
    for (asking->fail_from = 1;; asking->fail_from++) {
        int status = ask(asking);
        if (status && status / 100 != 2 && status / 100 != 5 && status != 409)
            fail_msg("%s with allocation %ld failing: %d %s", asking->target, asking->fail_from, status, asking->text);
        after(asking);
        if (!asking->failed)
            return;
        assert_true(asking->fail_from < 10000);
    }
}

/* Acknowledged is there; and what was not may be there or not, but is whole. */
static void after_register(struct asking *asking)
{
    struct asking login;
    int status = post("/api/v1/auth/login", credentials("short@example.com"), &login);
    if (asking->status == 201 || asking->status == 409)
        assert_int_equal(status, 200);
    else
        assert_true(status == 200 || status == 401);
}

static void nothing(struct asking *asking)
{
}

/* The same token each time: what was refreshed without an answer is told again. */
static void after_refresh(struct asking *asking)
{
    struct asking again;
    assert_int_equal(post("/api/v1/auth/refresh", asking->body, &again), 200);
}

static void short_of_memory(void)
{
    struct asking asking = {.method = HTTP_POST, .target = "/api/v1/auth/register", .body = account("short@example.com")}, asked;
    starve(&asking, after_register);
    asking = (struct asking){.method = HTTP_POST, .target = "/api/v1/auth/login", .body = credentials("short@example.com")};
    starve(&asking, nothing);
    const char *id = arena_strdup(fiber_arena(), member(&asking, "id"));
    const char *refresh = arena_printf(fiber_arena(), "{\"refresh_token\":\"%s\"}", member(&asking, "refresh_token"));
    asking = (struct asking){.method = HTTP_POST, .target = "/api/v1/auth/refresh", .body = refresh};
    starve(&asking, after_refresh);
    const struct http_identity identity = {.user_id = id, .role = "user", .session_id = "s"};
    asking = (struct asking){.method = HTTP_GET, .target = "/api/v1/users/me", .identity = identity};
    starve(&asking, nothing);
    asking = (struct asking){.method = HTTP_PATCH, .target = "/api/v1/users/me", .body = "{\"name\":\"Countess\"}", .identity = identity};
    starve(&asking, nothing);
    asking = (struct asking){.method = HTTP_GET, .target = "/api/v1/users/me", .identity = identity};
    assert_int_equal(ask(&asking), 200);
    assert_string_equal(member(&asking, "name"), "Countess");
    assert_int_equal(post("/.well-known/jwks.json", NULL, &asked), 405);
    asking = (struct asking){.method = HTTP_GET, .target = "/.well-known/jwks.json"};
    starve(&asking, nothing);
    asking = (struct asking){.method = HTTP_DELETE, .target = "/api/v1/users/me", .identity = identity};
    for (asking.fail_from = 1; ask(&asking) != 204 && asking.status != 401; asking.fail_from++)
        assert_true(asking.fail_from < 10000);
    assert_int_equal(post("/api/v1/auth/login", credentials("short@example.com"), &asked), 401);
}

static void all(void)
{
    struct err err = {0};
    void *context;
    engines.database = test_database;
    must(cache_open(&engines.cache, &err), "cache");
    must(users_service.start(&engines, &context, &err), err.message);
    router = router_new(users_service.routes, context);
    signing_in_and_on();
    short_of_memory();
    users_service.stop(context);
    router_free(router);
    cache_close(engines.cache);
}

static void test_routes(void **state)
{
    on_database("users", all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_routes)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("users/service", tests, NULL, NULL);
}
