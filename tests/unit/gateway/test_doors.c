/* What the front door decides without asking anybody: rates, true addresses, origins, routes, ended sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/addresses.h"
#include "gateway/cors.h"
#include "gateway/rate_limit.h"
#include "gateway/revocations.h"
#include "gateway/routes.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct arena *arena;

static int set_up(void **state)
{
    arena = arena_new();
    rate_limit_init("");
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* ---- rates ---- */

static void as_many_as_the_rate_says(void **state)
{
    const struct rate rates[] = {{100, 10000}, {7, 10000}, {1, 1000}, {200, 10000}, {3, 1000}, {999, 1000}, {10, 60000}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char key[32];
        int64_t allowed = 0, now = 1000000;
        struct rate_answer answer;
        snprintf(key, sizeof key, "burst %zu", i);
        while ((answer = rate_limit("t", key, rates[i], now, true)).allowed) {
            allowed++;
            assert_int_equal(answer.remaining, rates[i].count - allowed);
        }
        assert_int_equal(allowed, rates[i].count);
        assert_true(answer.retry_after_ms > 0);
        assert_true(answer.reset_ms <= rates[i].period_ms);
        /* Told to wait, it waits in vain no more; a period later all is there again. */
        assert_true(rate_limit("t", key, rates[i], now + answer.retry_after_ms, true).allowed);
        answer = rate_limit("t", key, rates[i], now + answer.retry_after_ms + rates[i].period_ms, false);
        assert_int_equal(answer.remaining, rates[i].count);
    }
}

static void keys_and_kinds_do_not_meet(void **state)
{
    struct rate one = {1, 10000};
    assert_true(rate_limit("a", "key", one, 1000, true).allowed);
    assert_false(rate_limit("a", "key", one, 1000, true).allowed);
    assert_true(rate_limit("b", "key", one, 1000, true).allowed);
    assert_true(rate_limit("a", "other", one, 1000, true).allowed);
    assert_true(rate_limit("a", "key", (struct rate){0, 0}, 1000, true).allowed);
}

static void looking_takes_nothing(void **state)
{
    struct rate one = {1, 10000};
    for (int i = 0; i < 5; i++)
        assert_int_equal(rate_limit("look", "key", one, 1000, false).remaining, 1);
    assert_true(rate_limit("look", "key", one, 1000, true).allowed);
    assert_false(rate_limit("look", "key", one, 1000, false).allowed);
}

static _Atomic int taken;

static void *take_many(void *arg)
{
    for (int i = 0; i < 2000; i++)
        if (rate_limit("race", "key", (struct rate){1000, 1000000}, 1000, true).allowed)
            atomic_fetch_add(&taken, 1);
    return NULL;
}

static void threads_share_one_limit(void **state)
{
    pthread_t threads[4];
    taken = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_many, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(taken, 1000);
}

static void a_flood_of_keys_is_taken(void **state)
{
    for (int i = 0; i < 300000; i++) {
        char key[32];
        snprintf(key, sizeof key, "flood %d", i);
        assert_true(rate_limit("flood", key, (struct rate){10, 10000}, 1000, true).allowed);
    }
}

static void addresses_of_one_subscriber_are_one_key(void **state)
{
    char a[64], b[64];
    rate_limit_address_key("2001:db8:1:2::1", a);
    rate_limit_address_key("2001:db8:1:2:ffff::9", b);
    assert_string_equal(a, b);
    rate_limit_address_key("2001:db8:1:3::1", b);
    assert_string_not_equal(a, b);
    rate_limit_address_key("::ffff:10.0.0.1", a);
    rate_limit_address_key("10.0.0.1", b);
    assert_string_equal(a, b);
}

/* ---- addresses ---- */

static void forwarded_for_counts_from_trusted_proxies_alone(void **state)
{
    const struct {
        const char *trusted, *peer, *forwarded, *client;
    } cases[] = {
        {"", "10.0.0.1", "1.2.3.4", "10.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "1.2.3.4", "1.2.3.4"},
        {"10.0.0.0/8", "11.0.0.1", "1.2.3.4", "11.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"},
        {"10.0.0.0/8, 1.2.3.4", "10.0.0.1", "5.5.5.5, 1.2.3.4,10.9.9.9", "5.5.5.5"},
        {"10.0.0.0/8", "10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.0/8", "10.0.0.1", ",", "10.0.0.1"},
        {"2001:db8::/32", "2001:db8::1", "2001:db9::7", "2001:db9::7"},
        {"2001:db8::/33", "2001:db8:8000::1", "1.2.3.4", "2001:db8:8000::1"},
        {"127.0.0.1", "::ffff:127.0.0.1", "1.2.3.4", "1.2.3.4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxies *proxies;
        assert_int_equal(proxies_parse(cases[i].trusted, &proxies, NULL), 0);
        assert_string_equal(proxies_client(proxies, arena, cases[i].peer, text_of(cases[i].forwarded)), cases[i].client);
        proxies_free(proxies);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    const char *bad[] = {"x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/a", "2001::/129", "10.0.0.1,bad", "10.0.0.256", "/8"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct proxies *proxies;
        struct err err = {0};
        assert_int_equal(proxies_parse(bad[i], &proxies, &err), -EINVAL);
        assert_non_null(strstr(err.message, "PURSER_TRUSTED_PROXIES"));
    }
}

/* ---- CORS ---- */

static struct http_request *request_from(const char *method, enum http_method number, const char *origin)
{
    struct http_request *request = arena_alloc(arena, sizeof *request);
    *request = (struct http_request){.arena = arena, .method = number, .method_name = text_of(method), .path = text_of("/api/v1/orders")};
    http_header_add(arena, &request->headers, "Host", "shop.example:8080");
    if (origin)
        http_header_add(arena, &request->headers, "Origin", origin);
    return request;
}

#define ORIGINS "https://a.example, https://b.example:444"

static void only_listed_origins_get_headers(void **state)
{
    const struct {
        const char *origin;
        bool listed;
    } cases[] = {{"https://a.example", true}, {"https://b.example:444", true}, {"https://b.example", false}, {"http://a.example", false},
                 {"https://a.example.evil", false}, {"null", false}, {"", false}, {NULL, false}, {"http://shop.example:8080", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response = {.arena = arena};
        cors_decorate(request_from("GET", HTTP_GET, cases[i].origin), &response, ORIGINS);
        struct text allowed = http_header(&response.headers, "Access-Control-Allow-Origin");
        assert_int_equal(allowed.at != NULL, cases[i].listed);
        if (cases[i].listed)
            assert_true(text_equal(allowed, text_of(cases[i].origin)));
        assert_true(text_equal(http_header(&response.headers, "Vary"), text_of("Origin")));
    }
    struct http_response response = {.arena = arena};
    cors_decorate(request_from("GET", HTTP_GET, ""), &response, "");
    assert_int_equal(response.headers.count, 0);
}

static void preflights_are_answered_at_once(void **state)
{
    struct http_response response = {.arena = arena};
    struct http_request *request = request_from("OPTIONS", HTTP_OPTIONS, "https://a.example");
    assert_false(cors_preflight(request, &response, ORIGINS));
    http_header_add(arena, &request->headers, "Access-Control-Request-Method", "POST");
    assert_true(cors_preflight(request, &response, ORIGINS));
    assert_int_equal(response.status, 204);
    assert_non_null(http_header(&response.headers, "Access-Control-Allow-Methods").at);
    struct http_response other = {.arena = arena};
    request = request_from("OPTIONS", HTTP_OPTIONS, "https://evil.example");
    http_header_add(arena, &request->headers, "Access-Control-Request-Method", "POST");
    assert_true(cors_preflight(request, &other, ORIGINS));
    assert_null(http_header(&other.headers, "Access-Control-Allow-Methods").at);
}

static void our_own_origin_is_known_by_the_host(void **state)
{
    const struct {
        const char *origin;
        bool allowed;
    } cases[] = {{"https://shop.example:8080", true}, {"http://SHOP.example:8080", true}, {"https://shop.example", false},
                 {"https://a.example", true}, {"ftp://shop.example:8080", false}, {"", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(cors_is_allowed(request_from("GET", HTTP_GET, NULL), text_of(cases[i].origin), ORIGINS), cases[i].allowed);
}

/* ---- routes, sessions ---- */

static void paths_go_to_their_service(void **state)
{
    const struct {
        const char *path, *service;
    } cases[] = {{"/api/v1/auth/login", "users"}, {"/api/v1/users", "users"}, {"/api/v1/products/x", "orders"}, {"/api/v1/orders", "orders"},
                 {"/api/v1/payments", "payments"}, {"/api/v1/notifications/ws", "notifications"}, {"/api/v1/functions/x", "functions"},
                 {"/.well-known/jwks.json", "users"}, {"/api/v1/", NULL}, {"/api/v1", NULL}, {"/api/v2/orders", NULL}, {"/internal/status", NULL}, {"/api/v1/internal", NULL},
                 {"/api/v1//orders", NULL}, {"/", NULL}, {"/api/v1/../internal", NULL}, {"/api/v1/ordersx", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *service = routes_service_of(text_of(cases[i].path));
        if (cases[i].service)
            assert_string_equal(service, cases[i].service);
        else
            assert_null(service);
    }
}

static void ended_sessions_are_known_until_their_tokens_end(void **state)
{
    assert_false(revocations_has("s1"));
    assert_true(revocations_add("s1", 1000));
    assert_false(revocations_add("s1", 1000));
    assert_true(revocations_add("s2", 3000));
    assert_true(revocations_has("s1"));
    revocations_sweep(2000);
    assert_false(revocations_has("s1"));
    assert_true(revocations_has("s2"));
    revocations_sweep(4000);
    assert_false(revocations_has("s2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_the_rate_says),
        cmocka_unit_test(keys_and_kinds_do_not_meet),
        cmocka_unit_test(looking_takes_nothing),
        cmocka_unit_test(threads_share_one_limit),
        cmocka_unit_test(a_flood_of_keys_is_taken),
        cmocka_unit_test(addresses_of_one_subscriber_are_one_key),
        cmocka_unit_test(forwarded_for_counts_from_trusted_proxies_alone),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(only_listed_origins_get_headers),
        cmocka_unit_test(preflights_are_answered_at_once),
        cmocka_unit_test(our_own_origin_is_known_by_the_host),
        cmocka_unit_test(paths_go_to_their_service),
        cmocka_unit_test(ended_sessions_are_known_until_their_tokens_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
