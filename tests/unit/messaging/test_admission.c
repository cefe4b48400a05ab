/* The door for new orders, with times of our own and a shop that is simulated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "messaging/admission.h"

#define TARGET_MS 1000
#define START_MS 5000000

static struct admission *door;

static int set_up(void **state)
{
    door = calloc(1, sizeof *door);
    return door ? 0 : -1;
}

static int tear_down(void **state)
{
    free(door);
    return 0;
}

static void take(int64_t made_ms)
{
    assert_true(admission_enter(door, made_ms, TARGET_MS));
    admission_leave(door, made_ms, made_ms);
}

/* ---- a shop that does one order after the other ---- */

#define LINE_MAX 400000

struct shop {
    int64_t made_ms[LINE_MAX];
    unsigned taken, done, refused;
    int64_t longest_ms;
    unsigned batch;   /* so many are told of at once */
    unsigned away_ms; /* so long each is at the provider, ahead of its line */
    unsigned back;    /* of those taken */
};

static struct shop *shop_new(unsigned batch)
{
    struct shop *shop = calloc(1, sizeof *shop);
    assert_non_null(shop);
    shop->batch = batch;
    return shop;
}

static void come_back(struct shop *shop, int64_t now_ms)
{
    for (; shop->back < shop->taken && shop->made_ms[shop->back] + shop->away_ms <= now_ms; shop->back++)
        if (shop->away_ms)
            admission_note_away(door, shop->away_ms);
}

static void do_orders(struct shop *shop, int64_t now_ms, unsigned count)
{
    for (; count && shop->done < shop->back; count--) {
        int64_t took_ms = now_ms - shop->made_ms[shop->done++] - shop->away_ms;
        shop->longest_ms = took_ms > shop->longest_ms ? took_ms : shop->longest_ms;
        if (shop->done % shop->batch == 0 || shop->done == shop->back)
            admission_note_done(door, now_ms, shop->made_ms[shop->done - 1]);
    }
}

static void ask(struct shop *shop, int64_t now_ms)
{
    if (!admission_enter(door, now_ms, TARGET_MS)) {
        shop->refused++;
        return;
    }
    admission_leave(door, now_ms, now_ms);
    shop->made_ms[shop->taken++] = now_ms;
}

static unsigned due(int64_t at_ms, unsigned a_second)
{
    return (unsigned)((at_ms + 1) * a_second / 1000 - at_ms * a_second / 1000);
}

/* `offered` and `done` a second, for so long; what is due in a millisecond comes at once. */
static void run(struct shop *shop, int64_t from_ms, int64_t for_ms, unsigned offered, unsigned done)
{
    for (int64_t at = 0; at < for_ms; at++) {
        come_back(shop, from_ms + at);
        do_orders(shop, from_ms + at, due(at, done));
        for (unsigned coming = due(at, offered); coming; coming--)
            ask(shop, from_ms + at);
    }
}

static void nothing_is_refused_below_what_can_be_done(void **state)
{
    struct shop *shop = shop_new(1);
    run(shop, START_MS, 60000, 700, 1000);
    assert_int_equal(shop->refused, 0);
    assert_true(admission_open(door) < 100);
    /* A burst that is done within the target is none of its business either, after a long pause too. */
    run(shop, START_MS + 600000, 500, 1500, 1000);
    assert_int_equal(shop->refused, 0);
    free(shop);
}

/* From a door that knows nothing: the first ones wait little longer than later ones, and there is no time in which all are refused. */
static void onset(struct shop *shop, unsigned capacity)
{
    for (int64_t at = 0; at < 10000; at += 250) {
        unsigned taken = shop->taken;
        run(shop, START_MS + at, 250, 2 * capacity, capacity);
        assert_true(shop->taken > taken);
    }
    assert_true(shop->longest_ms < TARGET_MS * 3 / 2);
}

static void overload(unsigned capacity, unsigned batch)
{
    struct shop *shop = shop_new(batch);
    memset(door, 0, sizeof *door);
    onset(shop, capacity);
    unsigned before = shop->done;
    shop->longest_ms = 0;
    run(shop, START_MS + 10000, 20000, 2 * capacity, capacity);
    assert_true(shop->done - before >= capacity * 20 - 1); /* what is never idle does all that can be done */
    assert_true(shop->longest_ms < 2 * TARGET_MS);
    assert_true(shop->longest_ms > TARGET_MS / 2);
    /* Ten times as many change nothing. */
    before = shop->done;
    shop->longest_ms = 0;
    run(shop, START_MS + 30000, 20000, 10 * capacity, capacity);
    assert_true(shop->done - before >= capacity * 20 - 1);
    assert_true(shop->longest_ms < 2 * TARGET_MS);
    /* And when it is over, it is over. */
    run(shop, START_MS + 50000, 10000, capacity / 2, capacity);
    shop->refused = 0;
    run(shop, START_MS + 60000, 10000, capacity / 2, capacity);
    assert_int_equal(shop->refused, 0);
    free(shop);
}

static void at_twice_the_load_all_that_can_be_done_is(void **state)
{
    overload(150, 1);
    overload(1000, 1);
    overload(2500, 1);
    overload(1000, 128);
    overload(2500, 256);
}

/* Who leaves the line young says nothing of those who are in it. */
static void orders_that_leave_the_line_stand_for_themselves(void **state)
{
    struct shop *shop = shop_new(1);
    for (int64_t at = 0; at < 60000; at++) {
        run(shop, START_MS + at, 1, 2000, 1000);
        if (at % 1000 == 500)
            admission_note_dropped(door, START_MS + at, START_MS + at - 100);
    }
    assert_true(shop->longest_ms < 2 * TARGET_MS);
    assert_true(shop->done >= 59990);
    free(shop);
}

/* All of them cancelled, none paid: the next ones find an empty line. Twice, or of another time, takes away nobody else for good. */
static void whoever_left_is_not_waited_for(void **state)
{
    for (int i = 0; i < 100; i++)
        take(START_MS + i);
    for (int i = 0; i < 100; i++)
        admission_note_dropped(door, START_MS + 200, START_MS + i);
    assert_int_equal(admission_open(door), 0);
    assert_true(admission_enter(door, START_MS + 30000, TARGET_MS));
    admission_leave(door, START_MS + 30000, START_MS + 30000);
    for (int i = 0; i < 3; i++)
        admission_note_dropped(door, START_MS + 30010, START_MS + 30000);
    admission_note_dropped(door, START_MS + 30010, START_MS - 100000000);
    assert_int_equal(admission_open(door), 0);
    take(START_MS + 40000);
    take(START_MS + 50000);
    admission_note_done(door, START_MS + 50001, START_MS + 40000);
    admission_note_dropped(door, START_MS + 50001, START_MS + 40000);
    assert_int_equal(admission_open(door), 1);
}

/* One without an answer that is cancelled then leaves twice. */
static void the_line_is_never_shorter_than_nothing(void **state)
{
    for (int i = 0; i < 3; i++)
        take(START_MS + 1000 * i);
    admission_note_dropped(door, START_MS + 3000, START_MS + 2000);
    admission_note_dropped(door, START_MS + 3000, START_MS + 2000);
    admission_note_done(door, START_MS + 3000, START_MS);
    admission_note_dropped(door, START_MS + 3000, START_MS + 1000);
    assert_true(admission_open(door) <= 1);
    srand(1);
    for (int64_t at = START_MS + 4000; at < START_MS + 100000; at++) {
        int64_t made_ms = at - rand() % 200;
        if (rand() % 3 == 0)
            take(at);
        else if (rand() % 2)
            admission_note_dropped(door, at, made_ms);
        else if (rand() % 20 == 0)
            admission_note_done(door, at, made_ms);
        assert_true(door->taken >= door->done);
    }
}

static void the_line_follows_the_pace(void **state)
{
    struct shop *shop = shop_new(64);
    run(shop, START_MS, 20000, 4000, 2000);
    run(shop, START_MS + 20000, 20000, 4000, 500); /* a machine that has become slow */
    shop->longest_ms = 0;
    run(shop, START_MS + 40000, 10000, 4000, 500);
    assert_true(shop->longest_ms < 2 * TARGET_MS);
    run(shop, START_MS + 50000, 10000, 4000, 2000); /* and quick again */
    unsigned before = shop->done;
    run(shop, START_MS + 60000, 10000, 4000, 2000);
    assert_true(shop->done - before >= 19000);
    free(shop);
}

static void a_slow_provider_refuses_nobody(void **state)
{
    struct shop *shop = shop_new(1);
    shop->away_ms = 3000;
    run(shop, START_MS, 20000, 20, 1000); /* the first few tell how slow */
    run(shop, START_MS + 20000, 60000, 700, 1000);
    assert_int_equal(shop->refused, 0);
    run(shop, START_MS + 80000, 20000, 2000, 1000);
    unsigned before = shop->done;
    shop->longest_ms = 0;
    run(shop, START_MS + 100000, 60000, 2000, 1000);
    assert_true(shop->refused > 0);
    assert_true(shop->done - before >= 57000);
    assert_true(shop->longest_ms < 3 * TARGET_MS);
    free(shop);
}

static void while_nothing_is_done_a_few_are_taken(void **state)
{
    struct shop *shop = shop_new(1);
    run(shop, START_MS, 10000, 1000, 0);
    assert_true(shop->refused > 0);
    unsigned taken = shop->taken;
    assert_in_range(taken, ADMISSION_FREE, 1100);
    run(shop, START_MS + 10000, 50000, 1000, 0);
    assert_int_equal(shop->taken, taken);
    run(shop, START_MS + 60000, 30000, 500, 1000);
    shop->refused = 0;
    run(shop, START_MS + 90000, 10000, 500, 1000);
    assert_int_equal(shop->refused, 0);
    free(shop);
}

/* ---- counting ---- */

static void what_is_not_heard_of_is_forgotten(void **state)
{
    for (unsigned i = 0; i < ADMISSION_FREE; i++)
        take(START_MS);
    assert_false(admission_enter(door, START_MS + TARGET_MS, TARGET_MS));
    assert_false(admission_enter(door, START_MS + ADMISSION_FORGET_MS - ADMISSION_SLOT_MS, TARGET_MS));
    assert_true(admission_enter(door, START_MS + ADMISSION_FORGET_MS + ADMISSION_SLOT_MS, TARGET_MS));
}

static void an_order_counts_from_its_request_to_its_end(void **state)
{
    assert_true(admission_enter(door, START_MS, TARGET_MS));
    assert_true(admission_enter(door, START_MS, TARGET_MS));
    assert_int_equal(admission_open(door), 2);
    admission_leave(door, START_MS + 40, -1); /* it was refused for another reason */
    admission_leave(door, START_MS + 60, START_MS + 10);
    assert_int_equal(admission_open(door), 1);
    assert_int_equal(admission_waits_ms(door, START_MS + 100), 40);
    admission_note_done(door, START_MS + 200, START_MS + 10);
    assert_int_equal(admission_open(door), 0);
    assert_int_equal(admission_waits_ms(door, START_MS + 900), 0);
}

static void a_younger_one_that_is_done_stands_for_all_before(void **state)
{
    for (unsigned i = 0; i < 10; i++)
        take(START_MS + 100 * i);
    admission_note_done(door, START_MS + 1000, START_MS + 500);
    assert_int_equal(admission_open(door), 4);
    assert_int_equal(admission_waits_ms(door, START_MS + 1000), 500);
    admission_note_done(door, START_MS + 1000, START_MS + 200); /* once more, or late */
    assert_int_equal(admission_open(door), 4);
}

static void an_order_that_was_done_before_its_answer_is_done(void **state)
{
    assert_true(admission_enter(door, START_MS, TARGET_MS));
    admission_note_done(door, START_MS + 50, START_MS + 10);
    admission_leave(door, START_MS + 60, START_MS + 10);
    assert_int_equal(admission_open(door), 0);
}

/* Orders of before a restart, of an earlier month, or of a clock that was set. */
static void orders_that_were_not_taken_here_count_nowhere(void **state)
{
    take(START_MS);
    admission_note_done(door, START_MS + 10, -1000000000);
    admission_note_done(door, START_MS + 10, 5);
    assert_int_equal(admission_open(door), 1);
    admission_note_done(door, START_MS + 20, START_MS + 1000000);
    assert_int_equal(admission_open(door), 0);
    take(START_MS + 500);
    assert_int_equal(admission_open(door), 1);
}

static void no_target_refuses_nothing_and_counts(void **state)
{
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(admission_enter(door, START_MS + i, 0));
        admission_leave(door, START_MS + i, START_MS + i);
    }
    assert_int_equal(admission_open(door), 10000);
    assert_false(admission_enter(door, START_MS + 10000, TARGET_MS));
}

static void a_clock_that_has_just_begun(void **state)
{
    for (int64_t now_ms = 0; now_ms < 3000; now_ms++) {
        assert_true(admission_enter(door, now_ms, TARGET_MS));
        admission_leave(door, now_ms, now_ms < ADMISSION_FREE - 1 ? now_ms : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_refused_below_what_can_be_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_twice_the_load_all_that_can_be_done_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orders_that_leave_the_line_stand_for_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_left_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_line_is_never_shorter_than_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_line_follows_the_pace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_provider_refuses_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_nothing_is_done_a_few_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_heard_of_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_order_counts_from_its_request_to_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_younger_one_that_is_done_stands_for_all_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_order_that_was_done_before_its_answer_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orders_that_were_not_taken_here_count_nowhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_target_refuses_nothing_and_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_has_just_begun, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
