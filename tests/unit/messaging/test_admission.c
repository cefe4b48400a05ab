/* The door for new orders and the delay that moves it, with times of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "messaging/admission.h"
#include "messaging/delay.h"

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

static uint64_t open_orders(void)
{
    return door->taken - door->done;
}

/* ---- a shop that does one order after the other ---- */

#define LINE_MAX 200000

struct shop {
    int64_t came_ms[LINE_MAX];
    unsigned taken, done, refused;
    int64_t longest_ms;
};

static int64_t delay_now(const struct shop *shop, int64_t now_ms)
{
    return shop->done < shop->taken ? now_ms - shop->came_ms[shop->done] : 0;
}

/* `offered` and `done` a second, for so long; what is due in a millisecond comes at once. */
static void run(struct shop *shop, int64_t from_ms, int64_t for_ms, unsigned offered, unsigned done)
{
    for (int64_t at = 0; at < for_ms; at++) {
        int64_t now_ms = from_ms + at;
        unsigned coming = (unsigned)((at + 1) * offered / 1000 - at * offered / 1000);
        unsigned going = (unsigned)((at + 1) * done / 1000 - at * done / 1000);
        for (; going && shop->done < shop->taken; going--)
            shop->done++;
        for (; coming; coming--) {
            if (!admission_allows(door, now_ms, delay_now(shop, now_ms), TARGET_MS)) {
                shop->refused++;
                continue;
            }
            shop->came_ms[shop->taken++] = now_ms;
            admission_note(door, now_ms);
        }
        if (delay_now(shop, now_ms) > shop->longest_ms)
            shop->longest_ms = delay_now(shop, now_ms);
    }
}

static void nothing_is_refused_below_what_can_be_done(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    run(shop, START_MS, 60000, 700, 1000);
    assert_int_equal(shop->refused, 0);
    assert_true(open_orders() < 100);
    /* A burst that is done within the target is none of its business either, after a long pause too. */
    run(shop, START_MS + 600000, 500, 1500, 1000);
    assert_int_equal(shop->refused, 0);
    free(shop);
}

static void at_twice_the_load_all_that_can_be_done_is(void **state)
{
    static const unsigned capacities[] = {150, 1000, 2500};
    for (unsigned i = 0; i < 3; i++) {
        struct shop *shop = calloc(1, sizeof *shop);
        memset(door, 0, sizeof *door);
        run(shop, START_MS, 30000, 2 * capacities[i], capacities[i]);
        assert_true(shop->done >= capacities[i] * 29); /* of 30 s; what is never idle does all */
        assert_true(shop->longest_ms < 4 * TARGET_MS);
        /* The line has the length that was wanted, and stays so. */
        assert_true(open_orders() < capacities[i] * 2);
        unsigned before = shop->done;
        shop->longest_ms = 0;
        run(shop, START_MS + 30000, 20000, 10 * capacities[i], capacities[i]);
        assert_true(shop->done - before >= capacities[i] * 20 - 1);
        assert_true(shop->longest_ms < 4 * TARGET_MS);
        /* And when it is over, it is over. */
        run(shop, START_MS + 50000, 10000, capacities[i] / 2, capacities[i]);
        shop->refused = 0;
        run(shop, START_MS + 60000, 10000, capacities[i] / 2, capacities[i]);
        assert_int_equal(shop->refused, 0);
        free(shop);
    }
}

static void while_nothing_is_done_a_few_are_taken(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    run(shop, START_MS, 10000, 1000, 0);
    assert_true(shop->refused > 0);
    unsigned taken = shop->taken;
    run(shop, START_MS + 10000, 60000, 1000, 0);
    assert_int_equal(shop->taken, taken);
    run(shop, START_MS + 70000, 30000, 500, 1000);
    shop->refused = 0;
    run(shop, START_MS + 100000, 10000, 500, 1000);
    assert_int_equal(shop->refused, 0);
    free(shop);
}

static void few_orders_are_taken_however_long_work_waits(void **state)
{
    for (unsigned i = 0; i < ADMISSION_FREE; i++) {
        assert_true(admission_allows(door, START_MS + i, 3600000, TARGET_MS));
        admission_note(door, START_MS + i);
    }
    assert_false(admission_allows(door, START_MS + 100, 3600000, TARGET_MS));
    assert_true(admission_allows(door, START_MS + 100, TARGET_MS - 1, TARGET_MS));
    /* What once was done stays done, whatever a clock that is set says of the delay. */
    assert_true(admission_allows(door, START_MS + 5000, 0, TARGET_MS));
    assert_int_equal(open_orders(), 0);
    assert_true(admission_allows(door, START_MS + 5001, 3600000, TARGET_MS));
    assert_int_equal(open_orders(), 0);
}

static void a_clock_that_has_just_begun(void **state)
{
    for (int64_t now_ms = 0; now_ms < 3000; now_ms++) {
        assert_true(admission_allows(door, now_ms, now_ms % 2000, TARGET_MS));
        if (now_ms < ADMISSION_FREE - 1)
            admission_note(door, now_ms);
    }
}

/* ---- places ---- */

static void the_delay_of_a_place(void **state)
{
    struct delay_place place = {0};
    assert_int_equal(delay_of(&place, 5000, 100000), 0);
    place = (struct delay_place){.is_at_work = true, .since_wall_ms = 4000};
    assert_int_equal(delay_of(&place, 5000, 100000), 1000);
    assert_int_equal(delay_of(&place, 9000, 104000), 5000); /* it stands still */
    assert_int_equal(delay_of(&place, 3000, 98000), 0);     /* the clock was set back */
    place = (struct delay_place){.last_ms = 700, .ended_mono_ms = 100000};
    assert_int_equal(delay_of(&place, 0, 100999), 700);
    assert_int_equal(delay_of(&place, 0, 101000), 0);
}

static void the_longest_delay_counts(void **state)
{
    struct delay_place places[3] = {0};
    for (unsigned i = 0; i < 3; i++)
        delay_enter(&places[i]);
    assert_int_equal(delay_longest_ms(), 0);
    delay_begin(&places[1], 1000);
    int64_t longest_ms = delay_longest_ms();
    assert_true(longest_ms > 0);
    /* Another batch before the first one has ended: the first one waits. */
    delay_begin(&places[1], 3000);
    assert_int_equal(places[1].since_wall_ms, 1000);
    delay_end(&places[1]);
    assert_false(places[1].is_at_work);
    delay_begin(&places[0], 2000);
    delay_leave(&places[1]);
    assert_true(delay_longest_ms() > 0);
    delay_leave(&places[0]);
    delay_leave(&places[0]); /* of one that has left, nothing */
    assert_int_equal(delay_longest_ms(), 0);
    delay_leave(&places[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_refused_below_what_can_be_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_twice_the_load_all_that_can_be_done_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_nothing_is_done_a_few_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_orders_are_taken_however_long_work_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_has_just_begun, set_up, tear_down),
        cmocka_unit_test(the_delay_of_a_place),
        cmocka_unit_test(the_longest_delay_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
