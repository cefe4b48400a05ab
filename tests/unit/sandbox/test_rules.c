/* What each payment method does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sandbox/rules.h"

static void test_methods(void **state)
{
    static const struct {
        const char *name, *failure_code;
        bool charges, answers;
        int failing_tries;
    } wanted[] = {
        {"pm_card_visa", NULL, true, true, 0},
        {"pm_card_chargeDeclined", "card_declined", false, true, 0},
        {"pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds", false, true, 0},
        {"pm_sandbox_timeout", NULL, false, false, 0},
        {"pm_sandbox_late", NULL, true, false, 0},
        {"pm_sandbox_flaky", NULL, true, true, 2},
    };
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const struct sandbox_method *got = sandbox_method_find(wanted[i].name);
        assert_non_null(got);
        assert_int_equal(got->charges, wanted[i].charges);
        assert_int_equal(got->answers, wanted[i].answers);
        assert_int_equal(got->failing_tries, wanted[i].failing_tries);
        if (wanted[i].failure_code)
            assert_string_equal(got->failure_code, wanted[i].failure_code);
        else
            assert_null(got->failure_code);
    }
}

static void test_unknown(void **state)
{
    assert_null(sandbox_method_find(""));
    assert_null(sandbox_method_find("pm_card_visa "));
    assert_null(sandbox_method_find("PM_CARD_VISA"));
}

static void test_pauses_of_callbacks(void **state)
{
    static const int64_t doubling_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (int attempts = 0; attempts < 8; attempts++)
        assert_int_equal(callback_pause_ms(attempts, -1), doubling_s[attempts] * 1000);
    assert_int_equal(callback_pause_ms(1000, -1), CALLBACK_PAUSE_MAX_MS);
    /* What the shop asks for counts more, within bounds. */
    assert_int_equal(callback_pause_ms(0, 7), 7000);
    assert_int_equal(callback_pause_ms(3, 1), 1000);
    assert_int_equal(callback_pause_ms(0, 0), 1000);
    assert_int_equal(callback_pause_ms(0, INT64_MAX), CALLBACK_PAUSE_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_methods), cmocka_unit_test(test_unknown), cmocka_unit_test(test_pauses_of_callbacks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
