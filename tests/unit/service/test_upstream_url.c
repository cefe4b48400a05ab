/* Where services are said to be: what is a list of addresses, and what is said of one that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/settings.h"
#include "service/upstream_parts.h"

#include <errno.h>

#define SETTING "orders_url"

static void lists_are_read_address_by_address(void **state)
{
    struct err err;
    struct http_url url;
    assert_int_equal(settings_set(SETTING, " http://one:3002 , http://[::1]/,http://three", &err), 0);
    struct text rest = text_of(settings_text(SETTING));
    assert_true(upstream_url_next(&rest, &url));
    assert_true(text_equal(url.host, text_of("one")));
    assert_int_equal(url.port, 3002);
    assert_true(upstream_url_next(&rest, &url));
    assert_true(text_equal(url.host, text_of("::1")));
    assert_int_equal(url.port, 80);
    assert_true(upstream_url_next(&rest, &url));
    assert_true(text_equal(url.host, text_of("three")));
    assert_false(upstream_url_next(&rest, &url));
    assert_int_equal(settings_set(SETTING, "", &err), 0); /* in this process */
}

static void bad_lists_are_refused_with_one_line(void **state)
{
    const struct {
        const char *list, *words;
    } cases[] = {
        {"orders:3002", "PURSER_ORDERS_URL is \"orders:3002\"; it should be a list of http://host:port, but address 1 does not begin"},
        {"http://one:1,https://two:2", "address 2 does not begin with http://"},
        {"http://one:1,http://two:70000", "address 2 has no port"},
        {"http://one:1,", "address 2 is empty"},
        {",http://one:1", "address 1 is empty"},
        {" ", "address 1 is empty"},
        {"http://one:1/api", "address 1 has a path"},
        {"http://one:1 http://two:2", "address 1 has no port"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        assert_int_equal(settings_set(SETTING, cases[i].list, &err), -EINVAL);
        if (!strstr(err.message, cases[i].words))
            fail_msg("%s: %s", cases[i].list, err.message);
        assert_string_equal(settings_text(SETTING), "");
    }
}

static void what_was_set_before_is_checked_too(void **state)
{
    struct err err = {0};
    assert_int_equal(settings_set("users_url", "users", &err), 0);
    assert_int_equal(upstream_url_check("users_url", &err), -EINVAL);
    assert_non_null(strstr(err.message, "PURSER_USERS_URL"));
}

static int check_orders(void **state)
{
    struct err err;
    return upstream_url_check(SETTING, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_address_by_address),
        cmocka_unit_test(bad_lists_are_refused_with_one_line),
        cmocka_unit_test(what_was_set_before_is_checked_too),
    };
    return cmocka_run_group_tests_name("service/upstream_url", tests, check_orders, NULL);
}
