/* Which route a request takes, what its parameters are, and what is answered where there is none for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/router.h"
#include "runtime/on_fiber.h"

static const char *taken; /* the pattern whose handler was called */

static FIBER_FN void handle(void *context, struct http_request *request, struct http_response *response)
{
    assert_string_equal(context, "context");
    taken = request->route;
    respond_empty(response, 204);
}

static const struct route routes[] = {
    {HTTP_GET, "/orders", ROUTE_PUBLIC, handle},
    {HTTP_POST, "/orders", ROUTE_USER, handle},
    {HTTP_GET, "/orders/summary", ROUTE_ADMIN, handle},
    {HTTP_GET, "/orders/{id}", ROUTE_USER, handle},
    {HTTP_DELETE, "/orders/{id}", ROUTE_USER, handle},
    {HTTP_POST, "/orders/{id}/lines/{line}", ROUTE_PUBLIC, handle},
    {HTTP_GET, "/files/{path...}", ROUTE_PUBLIC, handle},
    {HTTP_GET, "/internal/keys", ROUTE_INTERNAL, handle},
    {0},
};

static struct router *router;

struct ask {
    enum http_method method;
    const char *path, *query, *user, *role;
};

static struct http_request request_of(struct ask ask)
{
    return (struct http_request){
        .arena = fiber_arena(),
        .method = ask.method,
        .path = text_of(ask.path),
        .query = text_of(ask.query ? ask.query : ""),
        .identity = {.user_id = ask.user, .role = ask.role},
    };
}

static const char *pattern_of(struct http_request *request)
{
    unsigned allowed;
    const struct route *route = router_find(router, request, &allowed);
    return route ? route->pattern : "none";
}

static struct http_response answer_to(struct ask ask)
{
    struct http_request request = request_of(ask);
    struct http_response response = {.arena = fiber_arena()};
    taken = NULL;
    router_handle(router, &request, &response);
    assert_int_equal(taken != NULL, response.status == 204 && ask.method != HTTP_OPTIONS);
    return response;
}
#define ANSWER(...) answer_to((struct ask){__VA_ARGS__})

static void with_router(void (*body)(void))
{
    router = router_new(routes, "context");
    assert_non_null(router);
    on_fiber(1, body);
    router_free(router);
}

/* ---- which ---- */

static void check_paths(void)
{
    const struct {
        enum http_method method;
        const char *path, *pattern;
    } cases[] = {
        {HTTP_GET, "/orders", "/orders"},
        {HTTP_HEAD, "/orders", "/orders"},
        {HTTP_GET, "/orders/summary", "/orders/summary"}, /* the fixed segment stands before the parameter */
        {HTTP_GET, "/orders/summaries", "/orders/{id}"},
        {HTTP_DELETE, "/orders/summary", "/orders/{id}"},
        {HTTP_POST, "/orders/1/lines/2", "/orders/{id}/lines/{line}"},
        {HTTP_GET, "/files/a", "/files/{path...}"},
        {HTTP_GET, "/files/a/b/c", "/files/{path...}"},
        {HTTP_GET, "/files", "none"},
        {HTTP_GET, "/files/", "none"},
        {HTTP_GET, "/orders/", "none"}, /* no parameter is empty, and no slash at the end is left out */
        {HTTP_GET, "/orders/1/", "none"},
        {HTTP_GET, "//orders", "none"},
        {HTTP_GET, "/Orders", "none"},
        {HTTP_GET, "/%6frders", "none"},
        {HTTP_GET, "orders", "none"},
        {HTTP_GET, "", "none"},
        {HTTP_GET, "/", "none"},
        {HTTP_PUT, "/orders", "none"},
        {HTTP_OTHER, "/orders", "none"},
        {HTTP_GET, "/files/1/2/3/4/5/6/7/8/9", "/files/{path...}"},
        {HTTP_GET, "/files/1/2/3/4/5/6/7/8/9/10", "none"}, /* more segments than any path has */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_request request = request_of((struct ask){cases[i].method, cases[i].path});
        const char *pattern = pattern_of(&request);
        if (strcmp(pattern, cases[i].pattern) != 0)
            fail_msg("%s took %s, not %s", cases[i].path, pattern, cases[i].pattern);
    }
}

static void a_path_takes_its_route(void **state)
{
    with_router(check_paths);
}

static void check_parameters(void)
{
    const struct {
        enum http_method method;
        const char *path, *first, *second;
    } cases[] = {
        {HTTP_GET, "/orders/abc", "abc", NULL},
        {HTTP_POST, "/orders/a/lines/b", "a", "b"},
        {HTTP_POST, "/orders/a%20b/lines/%C3%A9", "a b", "\xc3\xa9"},
        {HTTP_GET, "/orders/a%2Fb", "a/b", NULL}, /* decoded after it was cut */
        {HTTP_GET, "/orders/a%2fsummary", "a/summary", NULL},
        {HTTP_GET, "/orders/%2541", "%41", NULL}, /* decoded once */
        {HTTP_GET, "/orders/a+b", "a+b", NULL},
        {HTTP_GET, "/orders/%", "", NULL}, /* what is none is the empty one, which names nothing */
        {HTTP_GET, "/orders/%4", "", NULL},
        {HTTP_GET, "/orders/%zz", "", NULL},
        {HTTP_GET, "/orders/a%00b", "", NULL},
        {HTTP_GET, "/orders/%ff", "", NULL},
        {HTTP_GET, "/files/a/b%20c/d", "a/b c/d", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_request request = request_of((struct ask){cases[i].method, cases[i].path});
        assert_string_not_equal(pattern_of(&request), "none");
        assert_string_equal(request.parameters[0].at, cases[i].first);
        assert_int_equal(request.parameters[0].size, strlen(cases[i].first));
        if (cases[i].second)
            assert_string_equal(request.parameters[1].at, cases[i].second);
    }
}

static void parameters_are_decoded_once(void **state)
{
    with_router(check_parameters);
}

/* ---- answers ---- */

static void check_allow(void)
{
    const struct {
        enum http_method method;
        const char *path, *allow;
        int status;
    } cases[] = {
        {HTTP_PUT, "/orders", "GET, HEAD, POST, OPTIONS", 405},
        {HTTP_OTHER, "/orders", "GET, HEAD, POST, OPTIONS", 405},
        {HTTP_POST, "/orders/1", "GET, HEAD, DELETE, OPTIONS", 405},
        {HTTP_PATCH, "/orders/summary", "GET, HEAD, DELETE, OPTIONS", 405}, /* of both that fit */
        {HTTP_GET, "/orders/1/lines/2", "POST, OPTIONS", 405},
        {HTTP_OPTIONS, "/orders", "GET, HEAD, POST, OPTIONS", 204},
        {HTTP_OPTIONS, "/nothing", NULL, 404},
        {HTTP_PUT, "/nothing", NULL, 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response = ANSWER(cases[i].method, cases[i].path);
        struct text allow = http_header(&response.headers, "Allow");
        assert_int_equal(response.status, cases[i].status);
        assert_true(cases[i].allow ? text_equal(allow, text_of(cases[i].allow)) : !allow.at);
    }
}

static void another_method_is_told_which_there_are(void **state)
{
    with_router(check_allow);
}

static void check_access(void)
{
    assert_int_equal(ANSWER(HTTP_GET, "/orders").status, 204);
    assert_string_equal(taken, "/orders");
    assert_int_equal(ANSWER(HTTP_HEAD, "/orders").status, 204);
    assert_int_equal(ANSWER(HTTP_GET, "/internal/keys").status, 204); /* the gateway keeps these away */
    assert_int_equal(ANSWER(HTTP_POST, "/orders").status, 401);
    assert_int_equal(ANSWER(HTTP_POST, "/orders", .user = "u").status, 204);
    assert_int_equal(ANSWER(HTTP_GET, "/orders/summary").status, 401);
    assert_int_equal(ANSWER(HTTP_GET, "/orders/summary", .role = "admin").status, 401);
    assert_int_equal(ANSWER(HTTP_GET, "/orders/summary", .user = "u").status, 403);
    assert_int_equal(ANSWER(HTTP_GET, "/orders/summary", .user = "u", .role = "user").status, 403);
    assert_int_equal(ANSWER(HTTP_GET, "/orders/summary", .user = "u", .role = "admin").status, 204);
    assert_string_equal(taken, "/orders/summary");
}

static void who_may_not_is_refused(void **state)
{
    with_router(check_access);
}

static void check_queries(void)
{
    assert_int_equal(ANSWER(HTTP_GET, "/orders", .query = "a=1&b=1").status, 204);
    assert_int_equal(ANSWER(HTTP_GET, "/orders", .query = "a=1&a=2").status, 400);
    assert_int_equal(ANSWER(HTTP_POST, "/orders", .query = "a=1&a=2").status, 401); /* who may not is told nothing of it */
}

static void a_parameter_twice_is_refused(void **state)
{
    with_router(check_queries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_takes_its_route),
        cmocka_unit_test(parameters_are_decoded_once),
        cmocka_unit_test(another_method_is_told_which_there_are),
        cmocka_unit_test(who_may_not_is_refused),
        cmocka_unit_test(a_parameter_twice_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
