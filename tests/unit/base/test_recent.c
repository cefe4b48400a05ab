/* What happened lately: names, rates, failures, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/recent.h"

#include <stdio.h>
#include <string.h>

static void names_are_kept_apart_by_kind(void **state)
{
    (void)state;
    struct recent *published = recent_get(RECENT_QUEUE_PUBLISHED, "payment.request");
    assert_non_null(published);
    assert_ptr_equal(recent_get(RECENT_QUEUE_PUBLISHED, "payment.request"), published);
    assert_ptr_not_equal(recent_get(RECENT_QUEUE_HANDLED, "payment.request"), published);
    assert_ptr_not_equal(recent_get(RECENT_QUEUE_PUBLISHED, "order.created"), published);
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    struct recent_rates rates = recent_read(recent_get(RECENT_SERVICE, "idle"));
    assert_true(rates.per_second == 0 && rates.failed_per_second == 0);
    assert_true(rates.p99_ms < 0);
    recent_note(NULL, 1, true, 1);
    assert_true(recent_read(NULL).per_second == 0);
}

/* Within a test's time all of it lies in the window of ten seconds and what has passed of the eleventh. */
static void rates_are_of_ten_seconds(void **state)
{
    (void)state;
    struct recent *recent = recent_get(RECENT_SERVICE, "busy");
    for (int i = 0; i < 100; i++)
        recent_note(recent, 11, i % 10 == 0, -1);
    struct recent_rates rates = recent_read(recent);
    assert_true(rates.per_second >= 100 && rates.per_second <= 110);
    assert_true(rates.failed_per_second >= 10 && rates.failed_per_second <= 11);
    assert_true(rates.p99_ms < 0);
}

static void times_are_known_to_a_fifth(void **state)
{
    (void)state;
    static const int64_t cases[] = {100, 1000, 4100, 33000, 250000, 1999999, 29000000};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "took %lld", (long long)cases[i]);
        struct recent *recent = recent_get(RECENT_ROUTES, name);
        recent_note(recent, 98, false, 1);
        recent_note(recent, 2, false, cases[i]);
        double p99_ms = recent_read(recent).p99_ms, truth = (double)cases[i] / 1000;
        assert_true(p99_ms > truth * 0.8 && p99_ms < truth * 1.2);
    }
    struct recent *recent = recent_get(RECENT_ROUTES, "one in a hundred");
    recent_note(recent, 99, false, 1000);
    recent_note(recent, 1, false, 9000000);
    assert_true(recent_read(recent).p99_ms < 2);
}

static void count_names(void *arg, const char *name, struct recent_rates rates)
{
    (void)rates;
    *(int *)arg += strncmp(name, "topic ", 6) == 0;
}

static void too_many_names_are_none(void **state)
{
    (void)state;
    int count = 0;
    for (int i = 0; i < 200; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "topic %d", i);
        recent_note(recent_get(RECENT_TOPIC_PUBLISHED, name), 1, false, -1);
    }
    recent_each(RECENT_TOPIC_PUBLISHED, count_names, &count);
    assert_int_equal(count, 128);
    assert_null(recent_get(RECENT_TOPIC_PUBLISHED, "one more"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_kept_apart_by_kind), cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(rates_are_of_ten_seconds),     cmocka_unit_test(times_are_known_to_a_fifth),
        cmocka_unit_test(too_many_names_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
