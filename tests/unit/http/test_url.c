/* URLs that are called: what they say, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/url.h"

static bool equals(struct text text, const char *wanted)
{
    return text_equal(text, text_of(wanted));
}

static void good_ones_are_read(void **state)
{
    const struct {
        const char *url, *host, *target;
        int port;
    } cases[] = {
        {"http://orders", "orders", "", 80},
        {"http://orders:3002", "orders", "", 3002},
        {"http://orders.shop-1.example:65535/", "orders.shop-1.example", "/", 65535},
        {"http://127.0.0.1:1/callbacks/sandbox?a=b%20c", "127.0.0.1", "/callbacks/sandbox?a=b%20c", 1},
        {"http://[::1]:3002", "::1", "", 3002},
        {"http://[2001:db8::7]/x:9", "2001:db8::7", "/x:9", 80},
        {"http://shop_orders:80", "shop_orders", "", 80},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_url url;
        const char *wrong = http_url_parse(text_of(cases[i].url), &url);
        if (wrong)
            fail_msg("%s %s", cases[i].url, wrong);
        assert_true(equals(url.host, cases[i].host));
        assert_true(equals(url.target, cases[i].target));
        assert_int_equal(url.port, cases[i].port);
    }
}

static void bad_ones_are_refused_with_words(void **state)
{
    const struct {
        const char *url, *words;
    } cases[] = {
        {"", "does not begin with http://"},
        {"orders:3002", "does not begin with http://"},
        {"https://orders:3002", "does not begin with http://"},
        {"HTTP://orders", "does not begin with http://"},
        {"http:/orders", "does not begin with http://"},
        {"http://", "has no host that could be one"},
        {"http:///x", "has no host that could be one"},
        {"http://:3002", "has no host that could be one"},
        {"http://user@orders:3002", "has no host that could be one"},
        {"http://user:word@orders", "has no port from 1 to 65535"},
        {"http://or ders", "has no host that could be one"},
        {"http://orders?x", "has no host that could be one"},
        {"http://[]:3002", "has no host that could be one"},
        {"http://[::1", "has no host that could be one"},
        {"http://[::1]3002", "has no port from 1 to 65535"},
        {"http://::1:3002", "has no host that could be one"},
        {"http://orders:", "has no port from 1 to 65535"},
        {"http://orders:0", "has no port from 1 to 65535"},
        {"http://orders:65536", "has no port from 1 to 65535"},
        {"http://orders:-1", "has no port from 1 to 65535"},
        {"http://orders:3002x", "has no port from 1 to 65535"},
        {"http://orders:99999999999999999999", "has no port from 1 to 65535"},
        {"http://orders/#top", "has characters behind its host that no URL has"},
        {"http://orders/a b", "has characters behind its host that no URL has"},
        {"http://orders/\xc3\xa4", "has characters behind its host that no URL has"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_url url = {.port = -1};
        const char *wrong = http_url_parse(text_of(cases[i].url), &url);
        if (!wrong)
            fail_msg("%s is taken", cases[i].url);
        assert_string_equal(wrong, cases[i].words);
        assert_int_equal(url.port, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_ones_are_read), cmocka_unit_test(bad_ones_are_refused_with_words)};
    return cmocka_run_group_tests_name("http/url", tests, NULL, NULL);
}
