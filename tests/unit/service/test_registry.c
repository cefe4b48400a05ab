/* Calls of a service of the same process, and its end while some are under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../runtime/on_fiber.h"
#include "base/clock.h"
#include "service/registry.h"

#define LONG_MS 600000

static struct running_service *entry;
static struct fiber *parked; /* the handler's, while it waits to be told to go on */
static bool closed_in_handler;
static int status_of_last;

static FIBER_FN void answer(void *context, struct http_request *request, struct http_response *response)
{
    respond_empty(response, 204);
}

static FIBER_FN void answer_when_told(void *context, struct http_request *request, struct http_response *response)
{
    parked = fiber_self();
    fiber_wait();
    closed_in_handler = !service_is_here("users");
    respond_empty(response, 204);
}

static FIBER_FN void run_short_of_memory(void *context, struct http_request *request, struct http_response *response)
{
    memory_short();
}

static const struct route routes[] = {
    {HTTP_GET, "/answer", ROUTE_PUBLIC, answer},
    {HTTP_GET, "/when-told", ROUTE_PUBLIC, answer_when_told},
    {HTTP_GET, "/short", ROUTE_PUBLIC, run_short_of_memory},
    {0},
};
static const struct service users = {.name = "users", .routes = routes};

static FIBER_FN void call(void *target)
{
    struct http_request request;
    struct http_response response = {.arena = fiber_arena()};
    service_request_init(&request, fiber_arena(), "GET", target, NULL);
    service_call("users", &request, &response);
    status_of_last = response.status;
}

static void tell(void *unused)
{
    fiber_wake(parked);
}

/* Each test has the service open, and nobody in it. */
static void begin(void)
{
    if (!entry) {
        entry = registry_add(&users);
        entry->router = router_new(routes, NULL);
    }
    registry_open(entry);
}

static FIBER_FN void close_waits(void)
{
    struct timer timer = {0};
    begin();
    assert_int_equal(fiber_start("call", call, "/when-told"), 0);
    status_of_last = 0;
    timer_start(&timer, clock_mono_ms() + 20, tell, NULL);
    assert_true(registry_close(entry, clock_mono_ms() + LONG_MS));
    assert_int_equal(status_of_last, 204);
    assert_true(closed_in_handler);
}

static void test_close_waits_for_calls(void **state)
{
    on_fiber(1, close_waits);
}

static FIBER_FN void closed_refuses(void)
{
    begin();
    assert_true(registry_close(entry, 0));
    call("/answer");
    assert_int_equal(status_of_last, 503);
    registry_open(entry);
    call("/answer");
    assert_int_equal(status_of_last, 204);
}

static void test_closed_service_takes_no_call(void **state)
{
    on_fiber(1, closed_refuses);
}

static FIBER_FN void close_gives_up(void)
{
    begin();
    assert_int_equal(fiber_start("call", call, "/when-told"), 0);
    assert_false(registry_close(entry, clock_mono_ms() + 20));
    fiber_wake(parked);
    assert_true(registry_close(entry, clock_mono_ms() + LONG_MS));
}

static void test_close_tells_of_calls_that_stay(void **state)
{
    on_fiber(1, close_gives_up);
}

static FIBER_FN void abandoned_call(void)
{
    begin();
    assert_int_equal(fiber_start("call", call, "/short"), 0);
    assert_true(registry_close(entry, 0));
}

static void test_call_that_ran_short_of_memory_has_ended(void **state)
{
    on_fiber(1, abandoned_call);
}

static FIBER_FN void own_cache_brings_what_is_here(void)
{
    struct err err;
    struct cache *cache;
    begin();
    assert_int_equal(cache_open(&cache, &err), 0);
    assert_true(cache_is_up(cache));
    assert_false(cache_is_shared(cache));
    assert_true(service_is_heard("users", cache));
    assert_false(service_is_heard("notifications", cache));
    cache_close(cache);
}

static void test_a_cache_of_ones_own_brings_nothing_from_elsewhere(void **state)
{
    on_fiber(1, own_cache_brings_what_is_here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_waits_for_calls),
        cmocka_unit_test(test_closed_service_takes_no_call),
        cmocka_unit_test(test_close_tells_of_calls_that_stay),
        cmocka_unit_test(test_call_that_ran_short_of_memory_has_ended),
        cmocka_unit_test(test_a_cache_of_ones_own_brings_nothing_from_elsewhere),
    };
    return cmocka_run_group_tests_name("service/registry", tests, NULL, NULL);
}
