/* Workers: posts between threads, wakes from threads, timers, the pool, and the end of loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/on_fiber.h"
#include "runtime/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define POSTS 2000

static int received[WORKER_MAX];
static _Atomic int out_of_order, done_workers;
static struct fiber *waiter;

struct numbered {
    unsigned from;
    int number;
};

static void receive(void *arg)
{
    struct numbered *post = arg;
    if (received[post->from]++ != post->number)
        atomic_fetch_add(&out_of_order, 1);
    free(post);
}

static void post_many(void *arg)
{
    for (int i = 0; i < POSTS; i++) {
        struct numbered *post = malloc(sizeof *post);
        *post = (struct numbered){worker_index(worker_self()), i};
        assert_int_equal(worker_post(worker_at(0), receive, post), 0);
        if (i % 100 == 0)
            fiber_yield();
    }
    atomic_fetch_add(&done_workers, 1);
    fiber_wake_from_thread(waiter);
}

static void posts(void)
{
    memset(received, 0, sizeof received);
    waiter = fiber_self();
    done_workers = 0;
    for (unsigned i = 1; i < worker_count(); i++)
        assert_int_equal(worker_start_fiber(worker_at(i), "poster", post_many, NULL), 0);
    while (done_workers < 3 || received[1] < POSTS || received[2] < POSTS || received[3] < POSTS)
        fiber_sleep(1);
    assert_int_equal(out_of_order, 0);
}

static void posts_keep_the_order_of_each_sender(void **state)
{
    on_fiber(4, posts);
}

static void *wake_from_outside(void *arg)
{
    fiber_wake_from_thread(arg);
    fiber_wake_from_thread(arg);
    return NULL;
}

static void wakes(void)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wake_from_outside, fiber_self()), 0);
        assert_int_equal(fiber_wait(), 0);
        pthread_join(thread, NULL);
    }
}

static void any_thread_wakes_a_fiber(void **state)
{
    on_fiber(1, wakes);
}

static int fired[64], fired_count;

static void fire(void *arg)
{
    fired[fired_count++] = (int)(intptr_t)arg;
}

static void timers(void)
{
    struct timer timer[64] = {0};
    int64_t now = clock_mono_ms();
    fired_count = 0;
    for (int i = 0; i < 64; i++)
        timer_start(&timer[i], now + (i * 37) % 64, fire, (void *)(intptr_t)((i * 37) % 64));
    for (int i = 0; i < 64; i++)
        if ((i * 37) % 64 % 3 == 0)
            timer_stop(&timer[i]);
    timer_start(&timer[5], now + 70, fire, (void *)(intptr_t)1000);
    while (fired_count < 43)
        fiber_sleep(2);
    for (int i = 1; i < fired_count; i++)
        assert_true(fired[i - 1] < fired[i]);
    assert_int_equal(fired[fired_count - 1], 1000);
    for (int i = 0; i < 64; i++)
        assert_int_equal(timer[i].place, 0);
}

static void timers_run_in_order_unless_stopped(void **state)
{
    on_fiber(1, timers);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int worked;
static struct pool *pool;
static int codes[3];

static void work(void *arg)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_add(&worked, 1);
}

static void uses_pool(void *arg)
{
    int *code = arg;
    if (code == &codes[1])
        waiter = fiber_self();
    *code = pool_run(pool, work, NULL);
}

static void bounded(void)
{
    worked = 0;
    pool = pool_new("test", 1, 1);
    assert_non_null(pool);
    pthread_mutex_lock(&gate);
    codes[0] = codes[1] = codes[2] = 1;
    fiber_start("a", uses_pool, &codes[0]);
    fiber_start("b", uses_pool, &codes[1]);
    /* At most two are in it besides the one that runs; more are refused at once, however far the thread has got. */
    int refused = 0;
    for (int i = 0; i < 4 && !refused; i++) {
        codes[2] = 1;
        fiber_start("c", uses_pool, &codes[2]);
        refused = codes[2] == -EBUSY;
    }
    assert_true(refused);
    fiber_cancel(waiter);
    fiber_yield();
    pthread_mutex_unlock(&gate);
    while (fiber_count() > 1)
        fiber_sleep(1);
    assert_int_equal(codes[0], 0);
    assert_true(codes[1] == -ECANCELED || codes[1] == 0);
    pool_free(pool);
}

static void the_pool_is_bounded(void **state)
{
    on_fiber(1, bounded);
}

static void waits_for_ever(void *arg)
{
    codes[0] = fiber_wait();
}

static void leaves_one(void)
{
    codes[0] = 1;
    fiber_start("left", waits_for_ever, NULL);
}

static void fibers_that_are_left_are_cancelled_at_the_end(void **state)
{
    on_fiber(2, leaves_one);
    assert_int_equal(codes[0], -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_keep_the_order_of_each_sender),
        cmocka_unit_test(any_thread_wakes_a_fiber),
        cmocka_unit_test(timers_run_in_order_unless_stopped),
        cmocka_unit_test(the_pool_is_bounded),
        cmocka_unit_test(fibers_that_are_left_are_cancelled_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
