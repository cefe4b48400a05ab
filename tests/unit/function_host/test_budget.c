/* The budget of processor time that a function has, by a clock of the test's own. */
#include "function_host/budget.h"
#include "function_host/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define MS 1000000u
#define SIZE (10 * MS)
#define REFILL 20 /* so many times as long a budget takes to gain what was taken from it */

static uint64_t now_ns = 1000 * MS;

/* In a minute every budget is full, whatever happened before. */
static int set_up(void **state)
{
    budget_set_size(SIZE);
    now_ns += 60000ull * MS;
    return 0;
}

static void test_what_is_used_up_stands_back_until_it_is_full(void **state)
{
    struct budget *budget = budget_take("a", now_ns);
    assert_false(budget_charge(budget, SIZE - 1, now_ns));
    assert_true(budget_charge(budget, 1, now_ns));
    assert_true(budget_charge(budget, 0, now_ns + REFILL * SIZE - REFILL));
    assert_false(budget_charge(budget, 0, now_ns + REFILL * SIZE));
    assert_false(budget_charge(budget, SIZE - 1, now_ns + REFILL * SIZE));
    budget_give(budget);
}

/* So nobody who is held down by a busy machine stays there for ever. */
static void test_owes_no_more_than_its_size(void **state)
{
    struct budget *budget = budget_take("a", now_ns);
    assert_true(budget_charge(budget, 1000 * SIZE, now_ns));
    assert_true(budget_charge(budget, 1000 * SIZE, now_ns));
    assert_true(budget_charge(budget, 0, now_ns + 2 * REFILL * SIZE - REFILL));
    assert_false(budget_charge(budget, 0, now_ns + 2 * REFILL * SIZE));
    budget_give(budget);
}

/* A fiftieth of a processor, charged every five milliseconds, is less than is refilled; a tenth is more. */
static void test_little_never_stands_back_and_much_does(void **state)
{
    struct budget *little = budget_take("little", now_ns), *much = budget_take("much", now_ns);
    bool stood_back = false;
    for (unsigned i = 0; i < 10000; i++) {
        now_ns += 5 * MS;
        assert_false(budget_charge(little, MS / 10, now_ns));
        stood_back |= budget_charge(much, MS / 2, now_ns);
    }
    assert_true(stood_back);
    budget_give(little);
    budget_give(much);
}

static void test_workers_of_a_function_share_one(void **state)
{
    struct budget *one = budget_take("shared", now_ns), *other = budget_take("shared", now_ns), *stranger = budget_take("strange", now_ns);
    assert_ptr_equal(one, other);
    assert_ptr_not_equal(one, stranger);
    assert_true(budget_charge(one, SIZE, now_ns));
    assert_false(budget_charge(stranger, 0, now_ns));
    budget_give(one);
    budget_give(other);
    budget_give(stranger);
    /* Nor does it begin anew with another worker. */
    one = budget_take("shared", now_ns);
    assert_true(one->used_up);
    budget_give(one);
}

/* Also where nobody has looked at it meanwhile, for it had no worker. */
static void test_a_new_worker_of_a_full_one_does_not_stand_back(void **state)
{
    struct budget *budget = budget_take("paused", now_ns);
    assert_true(budget_charge(budget, SIZE, now_ns));
    budget_give(budget);
    budget = budget_take("paused", now_ns + REFILL * SIZE - REFILL);
    assert_true(budget->used_up);
    budget_give(budget);
    budget = budget_take("paused", now_ns + REFILL * SIZE);
    assert_false(budget->used_up);
    budget_give(budget);
}

/* More functions than there may be workers, one after the other: the one that has used up its budget is remembered longest. */
static void test_the_fullest_is_forgotten_first(void **state)
{
    char name[FUNCTION_NAME_BYTES];
    struct budget *budget = budget_take("remembered", now_ns);
    budget_charge(budget, SIZE, now_ns);
    budget_give(budget);
    for (unsigned i = 0; i < 2 * WATCH_WORKERS_MAX; i++) {
        snprintf(name, sizeof(name), "passing-%u", i);
        budget = budget_take(name, now_ns);
        assert_false(budget_charge(budget, SIZE / 2, now_ns));
        budget_give(budget);
    }
    budget = budget_take("remembered", now_ns);
    assert_true(budget->used_up);
    budget_give(budget);
}

static void test_every_worker_there_may_be_finds_one(void **state)
{
    static struct budget *budgets[WATCH_WORKERS_MAX];
    char name[FUNCTION_NAME_BYTES];
    for (unsigned i = 0; i < WATCH_WORKERS_MAX; i++) {
        snprintf(name, sizeof(name), "at-once-%u", i);
        budgets[i] = budget_take(name, now_ns);
        assert_true(budget_charge(budgets[i], SIZE, now_ns));
        assert_int_equal(budgets[i]->workers, 1);
    }
    for (unsigned i = 0; i < WATCH_WORKERS_MAX; i++)
        budget_give(budgets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_used_up_stands_back_until_it_is_full, set_up),
        cmocka_unit_test_setup(test_owes_no_more_than_its_size, set_up),
        cmocka_unit_test_setup(test_little_never_stands_back_and_much_does, set_up),
        cmocka_unit_test_setup(test_workers_of_a_function_share_one, set_up),
        cmocka_unit_test_setup(test_a_new_worker_of_a_full_one_does_not_stand_back, set_up),
        cmocka_unit_test_setup(test_the_fullest_is_forgotten_first, set_up),
        cmocka_unit_test_setup(test_every_worker_there_may_be_finds_one, set_up),
    };
    return cmocka_run_group_tests_name("function_host/budget", tests, NULL, NULL);
}
