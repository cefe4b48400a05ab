/* The words of notifications. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json_members.h"
#include "notifications/rules.h"

#include <errno.h>

static struct arena *arena;

static int set_up(void **state)
{
    arena = arena_new();
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void test_money(void **state)
{
    static const struct {
        int64_t amount;
        const char *currency, *wanted;
    } cases[] = {
        {2900, "EUR", "29.00 EUR"}, {5, "USD", "0.05 USD"}, {0, "EUR", "0.00 EUR"}, {2900, "JPY", "2900 JPY"}, {12345, "KWD", "12.345 KWD"},
        {9007199254740991, "EUR", "90071992547409.91 EUR"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(money_print(arena, cases[i].amount, cases[i].currency), cases[i].wanted);
}

static int say(const char *type, const char *data, struct wording *ret_wording)
{
    struct event event = {.type = type, .data = text_of(data)};
    return wording_of(arena, &event, ret_wording);
}

#define ORDER "\"order_id\":\"o\",\"user_id\":\"u\",\"total\":2900,\"currency\":\"EUR\""

static void test_words(void **state)
{
    static const struct {
        const char *type, *data, *short_type, *body;
    } cases[] = {
        {"purser.user.registered", "{\"user_id\":\"u\"}", "user.registered", "Your account is ready."},
        {"purser.order.created", "{" ORDER "}", "order.created", "We have your order of 29.00 EUR."},
        {"purser.order.paid", "{" ORDER "}", "order.paid", "Your payment of 29.00 EUR has arrived."},
        {"purser.order.payment_failed", "{" ORDER ",\"failure_code\":\"card_declined\"}", "order.payment_failed",
         "Your payment of 29.00 EUR failed: card declined. You can try again."},
        {"purser.order.cancelled", "{" ORDER ",\"reason\":null}", "order.cancelled", "Your order of 29.00 EUR was cancelled."},
        {"purser.order.cancelled", "{" ORDER ",\"reason\":\"expired\"}", "order.cancelled", "Your order of 29.00 EUR was cancelled: expired."},
        {"purser.order.shipped", "{" ORDER "}", "order.shipped", "Your order of 29.00 EUR is on its way."},
        {"purser.order.delivered", "{" ORDER "}", "order.delivered", "Your order of 29.00 EUR has arrived."},
        {"purser.payment.refunded", "{\"amount\":500,\"refunded_amount\":700,\"currency\":\"EUR\"}", "payment.refunded", "We returned 5.00 EUR to you."},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wording wording;
        assert_int_equal(say(cases[i].type, cases[i].data, &wording), 0);
        assert_string_equal(wording.type, cases[i].short_type);
        assert_string_equal(wording.body, cases[i].body);
        assert_non_null(wording.title);
        assert_null(wording.data.at ? json_member_string(arena, wording.data, "user_id") : NULL);
    }
}

static void test_silent_types(void **state)
{
    static const char *const types[] = {"purser.user.logged_in", "purser.user.updated", "purser.payment.succeeded", "purser.payment.failed", "x", ""};
    struct wording wording;
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
        assert_int_equal(say(types[i], "{" ORDER "}", &wording), -ENOENT);
}

static void test_incomplete(void **state)
{
    struct wording wording;
    assert_int_equal(say("purser.order.paid", "{\"total\":5}", &wording), -EBADMSG);
    assert_int_equal(say("purser.order.paid", "{\"currency\":\"EUR\"}", &wording), -EBADMSG);
    assert_int_equal(say("purser.order.paid", "{\"currency\":\"EUR\",\"total\":\"5\"}", &wording), -EBADMSG);
    assert_int_equal(say("purser.payment.refunded", "{" ORDER "}", &wording), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_money),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_silent_types),
        cmocka_unit_test(test_incomplete),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
