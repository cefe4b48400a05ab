/* Ids and trace context. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/trace.h"
#include "base/uuid.h"

static void ids_ascend_and_are_valid(void **state)
{
    char last[UUID_SIZE] = "", id[UUID_SIZE];
    for (int i = 0; i < 20000; i++) {
        uuid_make(id);
        assert_true(uuid_is_valid(id));
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        assert_true(strcmp(id, last) > 0);
        memcpy(last, id, sizeof id);
    }
}

static void an_id_tells_its_time(void **state)
{
    char id[UUID_SIZE];
    assert_int_equal(uuid_time_ms("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), 1645557742000); /* RFC 9562, appendix A.6 */
    assert_int_equal(uuid_time_ms("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), 1645557742000);
    int64_t before = clock_wall_ms();
    uuid_make(id);
    assert_true(uuid_time_ms(id) >= before);
}

static void what_is_no_id(void **state)
{
    const char *bad[] = {"", "x", "0193f2f0-0000-7000-8000-00000000000", "0193f2f0-0000-7000-8000-0000000000000", "0193f2f0-0000-7000-8000-00000000000g",
                         "0193f2f0x0000-7000-8000-000000000000", "0193f2f000007000800000000000000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(uuid_is_valid(bad[i]));
    assert_false(uuid_is_valid(NULL));
    assert_true(uuid_is_valid("0193F2F0-0000-4000-8000-00000000000A"));
}

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"

static void a_good_trace_goes_on_with_a_new_span(void **state)
{
    const char *good[] = {"00-" TRACE_ID "-00f067aa0ba902b7-01", "cc-" TRACE_ID "-00f067aa0ba902b7-01-what-comes-later"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct trace trace;
        trace_begin(&trace, text_of(good[i]), text_of("abc-1._:Z"));
        assert_memory_equal(trace.traceparent, "00-" TRACE_ID "-", 36);
        assert_string_not_equal(trace.traceparent, good[0]);
        assert_string_equal(trace.traceparent + 52, "-01");
        assert_string_equal(trace.request_id, "abc-1._:Z");
    }
}

static void a_bad_trace_is_made_anew(void **state)
{
    const char *bad[] = {"", "00", "00-" TRACE_ID "-00f067aa0ba902b7", "00-" TRACE_ID "-00f067aa0ba902b7-01-more", "ff-" TRACE_ID "-00f067aa0ba902b7-01",
                         "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-" TRACE_ID "-0000000000000000-01",
                         "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-" TRACE_ID "-00f067aa0ba902b7-0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct trace trace;
        trace_begin(&trace, text_of(bad[i]), text_of(""));
        assert_int_equal(strlen(trace.traceparent), TRACEPARENT_SIZE - 1);
        assert_null(strstr(trace.traceparent, TRACE_ID));
        assert_true(uuid_is_valid(trace.request_id));
    }
}

static void a_bad_request_id_is_made_anew(void **state)
{
    char large[130];
    memset(large, 'a', 129);
    large[129] = 0;
    const char *bad[] = {"", "a b", "a\"b", "a/b", "\xc3\xa9", large};
    struct trace trace;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trace_begin(&trace, text_of(""), text_of(bad[i]));
        assert_true(uuid_is_valid(trace.request_id));
    }
    trace_begin(&trace, text_of(""), text_of(large + 1));
    assert_string_equal(trace.request_id, large + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_ascend_and_are_valid), cmocka_unit_test(an_id_tells_its_time), cmocka_unit_test(what_is_no_id), cmocka_unit_test(a_good_trace_goes_on_with_a_new_span),
        cmocka_unit_test(a_bad_trace_is_made_anew), cmocka_unit_test(a_bad_request_id_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
