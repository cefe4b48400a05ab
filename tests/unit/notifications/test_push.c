/* The form of a push. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "notifications/push.h"

#include <errno.h>

static void test_whole(void **state)
{
    struct push push;
    assert_int_equal(push_parse(text_of("17 3 {\"type\":\"x y\"}"), &push), 0);
    assert_int_equal(push.seq, 17);
    assert_int_equal(push.unread, 3);
    assert_true(text_equal(push.frame, text_of("{\"type\":\"x y\"}")));
}

static void test_broken(void **state)
{
    static const char *const messages[] = {"", " ", "17", "17 3", "17 3 ", "x 3 {}", "17 x {}", "-1 3 {}", "17 {}", "99999999999999999999 1 {}"};
    struct push push;
    for (unsigned i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_int_equal(push_parse(text_of(messages[i]), &push), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
