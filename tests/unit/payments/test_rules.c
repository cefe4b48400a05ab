/* The payment service's decisions, as tables of got and want. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "payments/rules.h"

#include <errno.h>

static void refunds(void **state)
{
    static const struct {
        const char *status;
        int64_t amount, refunded, wanted;
        int code;
        int64_t gives;
    } cases[] = {
        {"succeeded", 1000, 0, 0, 0, 1000},      {"succeeded", 1000, 0, 1000, 0, 1000}, {"succeeded", 1000, 0, 1001, -EDOM, 0},
        {"partially_refunded", 1000, 400, 0, 0, 600}, {"partially_refunded", 1000, 400, 601, -EDOM, 0}, {"refunded", 1000, 1000, 0, 0, 0},
        {"refunded", 1000, 1000, 1, -EDOM, 0},   {"pending", 1000, 0, 1, -EPERM, 0},    {"failed", 1000, 0, 0, -EPERM, 0},
        {"succeeded", 1000, 0, -1, -EDOM, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t gives = -1;
        assert_int_equal(refund_amount(cases[i].status, cases[i].amount, cases[i].refunded, cases[i].wanted, &gives), cases[i].code);
        assert_int_equal(gives, cases[i].code ? -1 : cases[i].gives);
    }
}

static void statuses(void **state)
{
    assert_string_equal(payment_status_after(1000, 0), "succeeded");
    assert_string_equal(payment_status_after(1000, 999), "partially_refunded");
    assert_string_equal(payment_status_after(1000, 1000), "refunded");
    assert_true(payment_is_captured("refunded"));
    assert_false(payment_is_captured("pending"));
    assert_false(payment_is_captured("failed"));
}

static void pauses_grow_to_a_limit(void **state)
{
    int64_t last = 0;
    for (int64_t attempts = 0; attempts < 1000; attempts++) {
        assert_true(retry_pause_ms(attempts) >= last);
        last = retry_pause_ms(attempts);
    }
    assert_int_equal(last, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refunds), cmocka_unit_test(statuses), cmocka_unit_test(pauses_grow_to_a_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
