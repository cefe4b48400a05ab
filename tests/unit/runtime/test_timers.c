/* The heap of timers on its own, whatever is added and removed, and what a timer's run may do to others and to itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/on_fiber.h"
#include "runtime/timers.h"

#define COUNT 500

/* ---- the heap ---- */

static void take_first(struct timers *timers, int64_t wanted_mono_ms)
{
    struct timer *first = timers->root;
    assert_non_null(first);
    assert_int_equal(first->due_mono_ms, wanted_mono_ms);
    timers_remove(timers, first);
    assert_int_equal(first->place, 0);
}

static void the_first_is_the_one_due_first(void **state)
{
    struct timers timers = {0};
    struct timer timer[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        timer[i].due_mono_ms = i * 7 % COUNT; /* each number once, since 7 and 500 have no common divisor */
        timers_add(&timers, &timer[i]);
    }
    for (int i = 0; i < COUNT; i++)
        take_first(&timers, i);
    assert_null(timers.root);
}

static void those_of_one_time_all_come(void **state)
{
    struct timers timers = {0};
    struct timer timer[9] = {0};
    for (int i = 0; i < 9; i++) {
        timer[i].due_mono_ms = 5;
        timers_add(&timers, &timer[i]);
    }
    for (int i = 0; i < 9; i++)
        take_first(&timers, 5);
    assert_null(timers.root);
}

static int64_t least(const struct timer *timer)
{
    int64_t due_mono_ms = INT64_MAX;
    for (int i = 0; i < COUNT; i++)
        if (timer[i].place && timer[i].due_mono_ms < due_mono_ms)
            due_mono_ms = timer[i].due_mono_ms;
    return due_mono_ms;
}

static void any_may_be_removed_and_added_again(void **state)
{
    struct timers timers = {0};
    struct timer timer[COUNT] = {0};
    srand(20261130);
    for (int step = 0; step < 20 * COUNT; step++) {
        struct timer *one = &timer[rand() % COUNT];
        if (one->place && rand() % 2)
            timers_remove(&timers, timers.root);
        else if (one->place)
            timers_remove(&timers, one);
        else {
            one->due_mono_ms = rand() % 100;
            timers_add(&timers, one);
        }
        assert_int_equal(timers.root ? timers.root->due_mono_ms : INT64_MAX, least(timer));
    }
    while (timers.root)
        take_first(&timers, least(timer));
    assert_int_equal(least(timer), INT64_MAX);
}

static void removing_one_that_does_not_run_is_nothing(void **state)
{
    struct timers timers = {0};
    struct timer one = {.due_mono_ms = 1}, other = {.due_mono_ms = 2};
    timers_remove(&timers, &one);
    timers_add(&timers, &one);
    timers_remove(&timers, &other);
    assert_ptr_equal(timers.root, &one);
    timers_remove(&timers, &one);
    timers_remove(&timers, &one);
    assert_null(timers.root);
}

/* ---- on a worker ---- */

struct note {
    struct timer timer;
    struct note *stops;
    int restarts, order;
};
static int runs;

static void run_note(void *arg)
{
    struct note *note = arg;
    assert_int_equal(note->timer.place, 0);
    note->order = ++runs;
    if (note->stops)
        timer_stop(&note->stops->timer);
    if (note->restarts-- > 0)
        timer_start(&note->timer, clock_mono_ms(), run_note, note);
}

static void start_note(struct note *note, int64_t due_mono_ms)
{
    timer_start(&note->timer, due_mono_ms, run_note, note);
}

static void wait_for(const struct note *note)
{
    while (!note->order || note->timer.place)
        fiber_sleep(1);
}

static void stop_others(void)
{
    /* All are due in one round of the loop: who runs first keeps the second from running. */
    struct note first = {0}, second = {0}, third = {0};
    int64_t now = clock_mono_ms();
    runs = 0;
    first.stops = &second;
    third.stops = &third;
    start_note(&third, now - 1);
    start_note(&second, now - 2);
    start_note(&first, now - 3);
    wait_for(&third);
    assert_int_equal(first.order, 1);
    assert_int_equal(second.order, 0);
    assert_int_equal(third.order, 2);
}

static void a_run_may_stop_others_and_itself(void **state)
{
    on_fiber(1, stop_others);
}

static void restart_itself(void)
{
    struct note again = {.restarts = 3};
    runs = 0;
    start_note(&again, clock_mono_ms());
    wait_for(&again);
    assert_int_equal(runs, 4);
}

static void a_run_may_start_its_timer_again(void **state)
{
    on_fiber(1, restart_itself);
}

static void move(void)
{
    struct note earlier = {0}, later = {0}, between = {0};
    int64_t now = clock_mono_ms();
    runs = 0;
    start_note(&earlier, now + 3600000);
    start_note(&later, now);
    start_note(&between, now + 5);
    start_note(&earlier, now + 1);
    start_note(&later, now + 10);
    wait_for(&later);
    assert_int_equal(earlier.order, 1);
    assert_int_equal(between.order, 2);
    assert_int_equal(later.order, 3);
    assert_int_equal(runs, 3);
}

static void starting_one_that_runs_moves_it(void **state)
{
    on_fiber(1, move);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_one_due_first),     cmocka_unit_test(those_of_one_time_all_come),
        cmocka_unit_test(any_may_be_removed_and_added_again), cmocka_unit_test(removing_one_that_does_not_run_is_nothing),
        cmocka_unit_test(a_run_may_stop_others_and_itself),   cmocka_unit_test(a_run_may_start_its_timer_again),
        cmocka_unit_test(starting_one_that_runs_moves_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
