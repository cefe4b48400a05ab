/* What one process of the system says of a request is believed by another as it was signed, and not with anything of it changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../runtime/on_fiber.h"
#include "base/settings.h"
#include "service/internal.h"

#include <sodium.h>

static struct http_request order_of(struct arena *arena, const char *key)
{
    struct http_request request = {
        .arena = arena,
        .method = HTTP_POST,
        .method_name = text_of("POST"),
        .target = text_of("/api/v1/orders"),
        .body = text_of("{\"items\":[]}"),
        .client_address = "192.0.2.7",
        .identity = {.user_id = "u", .role = "customer", .session_id = "s", .expires_wall_ms = 5},
    };
    if (key)
        http_header_add(arena, &request.headers, "Idempotency-Key", key);
    return request;
}

/* As it comes over the wire: with the headers of the signature beside its own, from another machine. `left`: a key that goes no further, as where
 * the client's Connection header names it. */
static struct http_request received_without(struct arena *arena, const char *key, const char *left)
{
    struct http_request request = order_of(arena, key), sent = order_of(arena, left ? left : key);
    internal_sign(&sent, &request.headers);
    request.identity = (struct http_identity){0};
    request.client_address = "198.51.100.1";
    return request;
}

static struct http_request received(struct arena *arena, const char *key)
{
    return received_without(arena, key, NULL);
}

static bool is_believed(struct http_request *request)
{
    struct http_response response = {.arena = request->arena};
    bool believed = internal_accept(request, &response);
    assert_true(believed || (response.status == 403 && !request->identity.user_id));
    return believed;
}

static void as_it_was_signed(struct arena *arena)
{
    struct http_request request = received(arena, "k");
    assert_true(is_believed(&request));
    assert_string_equal(request.identity.user_id, "u");
    assert_string_equal(request.identity.role, "customer");
    assert_string_equal(request.identity.session_id, "s");
    assert_int_equal(request.identity.expires_wall_ms, 5);
    assert_string_equal(request.client_address, "192.0.2.7");
    assert_null(http_header(&request.headers, "X-Purser-Internal").at);
    request = received(arena, NULL);
    assert_true(is_believed(&request));
    request = received_without(arena, NULL, "k");
    assert_true(is_believed(&request));
}

static void with_something_changed(struct arena *arena)
{
    static const char *const headers[] = {"X-User-Id", "X-User-Role", "X-Session-Id", "X-Purser-Expires", "X-Purser-Client", "Idempotency-Key"};
    struct http_request request;
    for (unsigned i = 0; i < sizeof headers / sizeof *headers; i++) {
        request = received(arena, "k");
        http_header_set(arena, &request.headers, headers[i], "7");
        assert_false(is_believed(&request));
        assert_string_equal(request.client_address, "198.51.100.1");
    }
    request = received(arena, "k");
    request.body = text_of("{\"items\":[1]}");
    assert_false(is_believed(&request));
    request = received(arena, "k");
    request.target = text_of("/api/v1/orders/1/cancel");
    assert_false(is_believed(&request));
    request = received(arena, "k");
    request.method_name = text_of("PUT");
    assert_false(is_believed(&request));
    request = received(arena, "k");
    http_header_remove(&request.headers, "Idempotency-Key");
    assert_false(is_believed(&request));
    request = received(arena, "k");
    http_header_remove(&request.headers, "X-Purser-Internal");
    assert_false(is_believed(&request));
    request = order_of(arena, "k"); /* nothing said at all */
    assert_false(is_believed(&request));
}

static void all(void)
{
    as_it_was_signed(fiber_arena());
    with_something_changed(fiber_arena());
}

static void test_signatures(void **state)
{
    static char *no_arguments[] = {NULL};
    struct err err;
    assert_true(sodium_init() >= 0);
    assert_int_equal(settings_load(no_arguments, &err), 0);
    assert_int_equal(settings_set("internal_secret", "a secret of the tests that is long enough to be one", &err), 0);
    on_fiber(1, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_signatures)};
    return cmocka_run_group_tests_name("service/internal", tests, NULL, NULL);
}
