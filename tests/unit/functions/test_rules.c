/* The rules of functions: names, triggers, schedules, notifications, waits. */
#include "functions/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
    static const struct {
        const char *name;
        bool valid;
    } samples[] = {
        {"a", true}, {"calculate-total", true}, {"7up", true}, {"a--b", true}, {"", false}, {"-a", false}, {"A", false},
        {"a_b", false}, {"a.b", false}, {"a/b", false}, {"\xc3\xa4", false},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        assert_int_equal(function_rules_name_is_valid(samples[i].name), samples[i].valid);
    assert_false(function_rules_name_is_valid(NULL));
}

static void test_triggers(void **state)
{
    static const struct {
        const char *trigger;
        int kind; /* -1: refused */
    } samples[] = {
        {"user.created", TRIGGER_QUEUE},
        {"order.created", TRIGGER_QUEUE},
        {"purser.order.created", TRIGGER_TOPIC},
        {"purser.order.*", TRIGGER_TOPIC},
        {"purser.*", TRIGGER_TOPIC},
        {"cron: */5 * * * *", TRIGGER_CRON},
        {"cron:0 9 * * 1-5", TRIGGER_CRON},
        {"payment.request", -1},
        {"purser.", -1},
        {"*", -1},
        {"purser.Order", -1},
        {"cron:", -1},
        {"cron: * * * *", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        enum trigger_kind kind;
        const char *why = NULL;
        int error = function_rules_trigger_parse(samples[i].trigger, &kind, &why);
        if ((error ? -1 : (int)kind) != samples[i].kind)
            fail_msg("%s: %d", samples[i].trigger, error ? -1 : (int)kind);
        assert_non_null(why);
    }
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *type;
        bool fits;
    } samples[] = {
        {"purser.order.created", "purser.order.created", true},
        {"purser.order.created", "purser.order.create", false},
        {"purser.order.created", "purser.order.created.x", false},
        {"purser.order.*", "purser.order.paid", true},
        {"purser.order.*", "purser.orders.paid", false},
        {"purser.*", "purser.order.paid", true},
        {"purser.*.created", "purser.order.created", true},
        {"purser.*.created", "purser.order.paid", false},
        {"purser.*ed", "purser.order.created.shipped", true},
        {"purser.*a*d", "purser.order.paid", true},
        {"purser.order.*", "purser.order.", true},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        if (function_rules_type_matches(samples[i].pattern, samples[i].type) != samples[i].fits)
            fail_msg("%s %s", samples[i].pattern, samples[i].type);
}

static void test_cron_refuses(void **state)
{
    static const char *const wrong[] = {
        "", "*", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 8",
        "a * * * *", "1- * * * *", "5-1 * * * *", "*/0 * * * *", "*/ * * * *", "1,, * * * *", "1,2, * * * *", "-1 * * * *", "1;2 * * * *",
        "1000 * * * *", "* * * * MON",
    };
    struct cron cron;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (function_rules_cron_parse(wrong[i], &cron) == 0)
            fail_msg("%s was taken", wrong[i]);
}

static bool fits(const char *fields, int month, int day, int hour, int minute)
{
    struct tm utc = {.tm_year = 126, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    struct cron cron;
    time_t seconds = timegm(&utc);
    gmtime_r(&seconds, &utc);
    assert_int_equal(function_rules_cron_parse(fields, &cron), 0);
    return function_rules_cron_matches(&cron, &utc);
}

static void test_cron_matches(void **state)
{
    /* 2026-11-28 is a Saturday. */
    assert_true(fits("* * * * *", 11, 28, 19, 20));
    assert_true(fits(" 20  19 28 11 6 ", 11, 28, 19, 20));
    assert_false(fits("21 19 28 11 6", 11, 28, 19, 20));
    assert_true(fits("*/5 * * * *", 11, 28, 19, 20));
    assert_false(fits("*/5 * * * *", 11, 28, 19, 21));
    assert_true(fits("10-30/10 * * * *", 11, 28, 19, 20));
    assert_true(fits("5/15 * * * *", 11, 28, 19, 20));
    assert_true(fits("0,20,40 18-20 * * *", 11, 28, 19, 20));
    assert_false(fits("* * * * 1-5", 11, 28, 19, 20));
    assert_true(fits("* * * * 6,7", 11, 28, 19, 20));
    assert_true(fits("* * * * 7", 11, 29, 0, 0));
    assert_true(fits("* * * * 0", 11, 29, 0, 0));
    /* Day and weekday both given: either. */
    assert_true(fits("* * 1 * 6", 11, 28, 0, 0));
    assert_true(fits("* * 28 * 1", 11, 28, 0, 0));
    assert_false(fits("* * 1 * 1", 11, 28, 0, 0));
    assert_false(fits("* * 1 * *", 11, 28, 0, 0));
}

static void test_notifications(void **state)
{
    static const struct {
        const char *result;
        bool is_one;
    } samples[] = {
        {"{\"title\":\"t\",\"body\":\"b\"}", true},
        {"{\"title\":\"t\",\"body\":\"b\",\"data\":{\"x\":1},\"more\":2}", true},
        {"{\"title\":\"t\",\"body\":\"b\",\"data\":[1]}", true},
        {"{\"title\":\"t\"}", false},
        {"{\"title\":\"\",\"body\":\"b\"}", false},
        {"{\"title\":1,\"body\":\"b\"}", false},
        {"null", false},
        {"\"text\"", false},
        {"[]", false},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct hook_notification notification;
        json_t *result = json_loads(samples[i].result, JSON_DECODE_ANY, NULL);
        assert_int_equal(function_rules_notification_of(result, &notification), samples[i].is_one);
        if (samples[i].is_one)
            assert_string_equal(notification.title, "t");
        json_decref(result);
    }
}

static void test_waits(void **state)
{
    assert_int_equal(function_rules_wait_us(0, 1, 1000), 1000);
    assert_int_equal(function_rules_wait_us(9, 2, 1000), 5000);
    assert_int_equal(function_rules_wait_us(3, 0, 1000), 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_triggers),     cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_cron_refuses),  cmocka_unit_test(test_cron_matches), cmocka_unit_test(test_notifications),
        cmocka_unit_test(test_waits),
    };
    return cmocka_run_group_tests_name("functions/rules", tests, NULL, NULL);
}
