/* RFC 3339 both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#include <errno.h>

static void printing(void **state)
{
    const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951827696789, "2000-02-29T12:34:56.789Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TIME_TEXT_SIZE];
        int64_t back = 42;
        time_print(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(time_parse(text, &back), 0);
        assert_int_equal(back, cases[i].ms);
    }
}

static void reading(void **state)
{
    const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:01Z", 1000},          {"1970-01-01t00:00:01.5z", 1500},       {"1970-01-01 02:00:00+02:00", 0},
        {"1969-12-31T23:30:00-00:30", 0},        {"1970-01-01T00:00:00.1234567Z", 123},  {"2016-12-31T23:59:60Z", 1483228799000},
    };
    const char *bad[] = {"", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
                         "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z", "1970-01-01T00:00:00.Z",
                         "1970-01-01T00:00:00Zx", "70-01-01T00:00:00Z", "1970-01-01T00:00:00+0200", "1970-1-1T0:0:0Z"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = 42;
        assert_int_equal(time_parse(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = 42;
        assert_int_equal(time_parse(bad[i], &ms), -EINVAL);
        assert_int_equal(ms, 42);
    }
    int64_t ms;
    assert_int_equal(time_parse(NULL, &ms), -EINVAL);
}

static void clocks_go_on(void **state)
{
    int64_t mono = clock_mono_us();
    assert_true(clock_mono_us() >= mono);
    assert_true(clock_mono_ms() >= mono / 1000);
    assert_true(clock_wall_ms() > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(printing), cmocka_unit_test(reading), cmocka_unit_test(clocks_go_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
