/* Fibers: order of running, waits and their ends, cancellation, deadlines, memory that runs short, locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/on_fiber.h"

#include <errno.h>

static char steps[256];

static void step(const char *what)
{
    strncat(steps, what, sizeof steps - strlen(steps) - 1);
}

static struct fiber *child;
static int child_code;

static void child_waits(void *arg)
{
    child = fiber_self();
    step("c1 ");
    child_code = fiber_wait();
    step("c2 ");
}

static void order(void)
{
    steps[0] = 0;
    step("p1 ");
    assert_int_equal(fiber_start("child", child_waits, NULL), 0);
    step("p2 ");
    fiber_wake(child);
    step("p3 ");
    assert_int_equal(fiber_yield(), 0);
    step("p4 ");
    assert_string_equal(steps, "p1 c1 p2 p3 c2 p4 ");
    assert_int_equal(child_code, 0);
    assert_int_equal(fiber_count(), 1);
}

static void a_fiber_runs_at_once_until_its_first_wait(void **state)
{
    on_fiber(1, order);
}

static void cancelled(void)
{
    fiber_start("child", child_waits, NULL);
    fiber_cancel(child);
    fiber_yield();
    assert_int_equal(child_code, -ECANCELED);
    fiber_cancel(fiber_self());
    assert_int_equal(fiber_wait(), -ECANCELED);
    assert_int_equal(fiber_sleep(1000000), -ECANCELED);
    assert_int_equal(fiber_yield(), -ECANCELED);
}

static void a_cancelled_fiber_waits_no_more(void **state)
{
    on_fiber(1, cancelled);
}

static void deadlines(void)
{
    int64_t former = fiber_narrow_deadline(5);
    assert_int_equal(former, 0);
    assert_int_equal(fiber_wait(), -ETIMEDOUT);
    assert_int_equal(fiber_wait(), -ETIMEDOUT);
    assert_int_equal(fiber_sleep(1000000), -ETIMEDOUT);
    int64_t narrow = fiber_deadline();
    assert_int_equal(fiber_narrow_deadline(1000000), narrow);
    assert_int_equal(fiber_deadline(), narrow);
    fiber_set_deadline(former);
    int64_t before = clock_mono_ms();
    assert_int_equal(fiber_sleep(10), 0);
    assert_true(clock_mono_ms() - before >= 10);
}

static void waits_end_at_the_deadline(void **state)
{
    on_fiber(1, deadlines);
}

static void kept(void)
{
    fiber_wake(fiber_self());
    fiber_wake(fiber_self());
    assert_int_equal(fiber_wait(), 0);
    fiber_narrow_deadline(5);
    assert_int_equal(fiber_wait(), -ETIMEDOUT);
    fiber_set_deadline(0);
    fiber_wake(fiber_self());
    assert_int_equal(fiber_sleep(5), 0);
    assert_int_equal(fiber_wait(), 0);
}

static void one_early_wake_is_kept(void **state)
{
    on_fiber(1, kept);
}

static void child_waits_uninterrupted(void *arg)
{
    child = fiber_self();
    fiber_wait_uninterrupted();
    step("woken ");
    child_code = fiber_wait();
    step("ended ");
}

static void uninterrupted(void)
{
    steps[0] = 0;
    fiber_start("child", child_waits_uninterrupted, NULL);
    fiber_cancel(child);
    fiber_yield();
    assert_string_equal(steps, "");
    fiber_wake(child);
    fiber_yield();
    assert_string_equal(steps, "woken ended ");
    assert_int_equal(child_code, -ECANCELED);
}

static void an_uninterrupted_wait_outlasts_cancelling(void **state)
{
    on_fiber(1, uninterrupted);
}

static void note(void *arg)
{
    step(arg);
}

static void takes_too_much(void *arg)
{
    fiber_defer(note, (void *)"deferred ");
    memory_fail_from(1);
    arena_alloc(fiber_arena(), 1 << 20);
    step("never ");
}

static void abandoned(void *arg)
{
    memory_fail_from(0);
    step("abandoned ");
}

static void short_of_memory(void)
{
    steps[0] = 0;
    struct fiber_options options = {.name = "greedy", .run = takes_too_much, .abandoned = abandoned};
    assert_int_equal(fiber_start_with(&options, NULL), 0);
    assert_string_equal(steps, "abandoned deferred ");
    char *still_works = arena_alloc(fiber_arena(), 1 << 20);
    still_works[0] = 1;
}

static void a_fiber_short_of_memory_is_abandoned_and_gives_back(void **state)
{
    on_fiber(1, short_of_memory);
}

static void no_start(void)
{
    for (long n = 1; n <= 2; n++) {
        memory_fail_from(n);
        int code = fiber_start("child", child_waits, NULL);
        memory_fail_from(0);
        if (!code) {
            fiber_cancel(child);
            fiber_yield();
        }
    }
    assert_int_equal(fiber_count(), 1);
}

static void a_start_without_memory_starts_nothing(void **state)
{
    on_fiber(1, no_start);
}

static struct fiber_lock lock;

static void takes_lock(void *arg)
{
    int code = fiber_lock(&lock);
    step(code ? "no" : arg);
    if (!code)
        fiber_unlock(&lock);
}

static void waits_for_lock(void *arg)
{
    child = fiber_self();
    takes_lock(arg);
}

static void locks(void)
{
    steps[0] = 0;
    assert_int_equal(fiber_lock(&lock), 0);
    fiber_start("a", takes_lock, (void *)"a");
    fiber_start("b", waits_for_lock, (void *)"b");
    fiber_start("c", takes_lock, (void *)"c");
    fiber_cancel(child);
    fiber_yield();
    assert_string_equal(steps, "no");
    fiber_unlock(&lock);
    while (fiber_count() > 1)
        fiber_yield();
    assert_string_equal(steps, "noac");
    assert_null(lock.owner);
}

static void a_lock_goes_in_order_of_asking(void **state)
{
    on_fiber(1, locks);
}

static unsigned ended;

static void sleeps(void *arg)
{
    char room[2000];
    memset(room, (int)(intptr_t)arg, sizeof room);
    fiber_sleep(1 + (intptr_t)arg % 7);
    assert_int_equal(room[1999], (char)(intptr_t)arg);
    ended++;
}

static void many(void)
{
    ended = 0;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 600; i++)
            assert_int_equal(fiber_start("sleeper", sleeps, (void *)(intptr_t)i), 0);
    while (fiber_count() > 1)
        fiber_sleep(5);
    assert_int_equal(ended, 1800);
}

static void many_fibers_have_stacks_of_their_own(void **state)
{
    on_fiber(1, many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fiber_runs_at_once_until_its_first_wait),
        cmocka_unit_test(a_cancelled_fiber_waits_no_more),
        cmocka_unit_test(waits_end_at_the_deadline),
        cmocka_unit_test(one_early_wake_is_kept),
        cmocka_unit_test(an_uninterrupted_wait_outlasts_cancelling),
        cmocka_unit_test(a_fiber_short_of_memory_is_abandoned_and_gives_back),
        cmocka_unit_test(a_start_without_memory_starts_nothing),
        cmocka_unit_test(a_lock_goes_in_order_of_asking),
        cmocka_unit_test(many_fibers_have_stacks_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
