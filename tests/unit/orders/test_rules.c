/* The order service's decisions, as tables of got and want. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "orders/rules.h"

#include <errno.h>

static void statuses(void **state)
{
    static const char *const allowed[] = {"pending_payment paid",     "pending_payment payment_failed", "pending_payment cancelled",
                                          "payment_failed cancelled", "payment_failed pending_payment", "paid shipped",
                                          "paid cancelled",           "shipped delivered"};
    unsigned count = 0;
    for (int from = ORDER_PENDING_PAYMENT; from <= ORDER_DELIVERED; from++)
        for (int to = ORDER_PENDING_PAYMENT; to <= ORDER_DELIVERED; to++)
            count += order_may_become((enum order_status)from, (enum order_status)to);
    assert_int_equal(count, sizeof allowed / sizeof *allowed);
    for (unsigned i = 0; i < count; i++) {
        char from_name[32];
        enum order_status from, to;
        const char *space = strchr(allowed[i], ' ');
        memcpy(from_name, allowed[i], (size_t)(space - allowed[i]));
        from_name[space - allowed[i]] = 0;
        assert_int_equal(order_status_parse(from_name, &from), 0);
        assert_int_equal(order_status_parse(space + 1, &to), 0);
        assert_true(order_may_become(from, to));
        assert_string_equal(order_status_name(to), space + 1);
    }
    enum order_status none;
    assert_int_equal(order_status_parse("lost", &none), -EINVAL);
}

static void totals(void **state)
{
    static const struct {
        int64_t price, quantity, more;
        int code;
        int64_t total;
    } cases[] = {
        {1450, 2, 0, 0, 2900},
        {0, 10000, 0, 0, 0},
        {MONEY_MAX, 1, 0, 0, MONEY_MAX},
        {MONEY_MAX - 1, 1, 1, 0, MONEY_MAX},
        {MONEY_MAX, 1, 1, -ERANGE, 0},
        {MONEY_MAX, 2, 0, -ERANGE, 0},
        {MONEY_MAX, 10000, 0, -ERANGE, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct line lines[] = {{.unit_price_minor = cases[i].price, .quantity = cases[i].quantity},
                                     {.unit_price_minor = cases[i].more, .quantity = 1}};
        int64_t total = -1;
        assert_int_equal(lines_total(lines, 2, &total), cases[i].code);
        assert_int_equal(total, cases[i].code ? -1 : cases[i].total);
    }
}

static void lines_have_one_order_and_one_currency(void **state)
{
    struct line lines[] = {{.sku = "b", .currency = "EUR"}, {.sku = "a", .currency = "EUR"}, {.sku = "B", .currency = "USD"}};
    struct line *sorted[] = {&lines[0], &lines[1], &lines[2]};
    lines_sort(sorted, 3);
    assert_ptr_equal(sorted[0], &lines[2]);
    assert_ptr_equal(sorted[1], &lines[1]);
    assert_ptr_equal(sorted[2], &lines[0]);
    assert_ptr_equal(lines_other_currency(lines, 3), &lines[2]);
    assert_null(lines_other_currency(lines, 2));
}

static void names(void **state)
{
    static const char *const good[] = {"A", "MUG-01", "a.b_c-9"}, *const bad[] = {"", "with space", "a/b", "\xc3\xa9", "a\n"};
    char longest[66];
    memset(longest, 'x', 65);
    longest[65] = 0;
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(sku_is_valid(good[i]));
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sku_is_valid(bad[i]));
    assert_false(sku_is_valid(longest));
    assert_true(sku_is_valid(longest + 1));
    assert_true(currency_is_valid("EUR"));
    assert_false(currency_is_valid("eur"));
    assert_false(currency_is_valid("EURO"));
    assert_true(country_is_valid("GB"));
    assert_false(country_is_valid("gb"));
    assert_false(country_is_valid("GBR"));
}

static void what_a_settled_charge_means(void **state)
{
    static const struct {
        enum order_status status;
        bool is_latest, succeeded;
        enum charge_meaning meaning;
    } cases[] = {
        {ORDER_PENDING_PAYMENT, true, true, CHARGE_PAYS},       {ORDER_PENDING_PAYMENT, true, false, CHARGE_FAILS},
        {ORDER_PENDING_PAYMENT, false, true, CHARGE_RETURNS},   {ORDER_PENDING_PAYMENT, false, false, CHARGE_SAYS_NOTHING},
        {ORDER_CANCELLED, true, true, CHARGE_RETURNS},          {ORDER_CANCELLED, true, false, CHARGE_SAYS_NOTHING},
        {ORDER_PAYMENT_FAILED, true, true, CHARGE_RETURNS},     {ORDER_PAYMENT_FAILED, false, true, CHARGE_RETURNS},
        {ORDER_PAID, true, true, CHARGE_SAYS_NOTHING},          {ORDER_PAID, false, true, CHARGE_RETURNS},
        {ORDER_PAID, false, false, CHARGE_SAYS_NOTHING},        {ORDER_SHIPPED, true, true, CHARGE_SAYS_NOTHING},
        {ORDER_DELIVERED, true, false, CHARGE_SAYS_NOTHING},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(charge_meaning(cases[i].status, cases[i].is_latest, cases[i].succeeded), cases[i].meaning);
}

static void payments_move_forward_only(void **state)
{
    assert_true(payment_status_follows("pending", "succeeded"));
    assert_true(payment_status_follows("pending", "refunded"));
    assert_true(payment_status_follows("partially_refunded", "refunded"));
    assert_false(payment_status_follows("refunded", "succeeded"));
    assert_false(payment_status_follows("succeeded", "succeeded"));
    assert_false(payment_status_follows("refunded", "nonsense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(totals),
        cmocka_unit_test(lines_have_one_order_and_one_currency),
        cmocka_unit_test(names),
        cmocka_unit_test(what_a_settled_charge_means),
        cmocka_unit_test(payments_move_forward_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
