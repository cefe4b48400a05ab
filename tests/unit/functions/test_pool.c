/* The line before a function's processes, without a host: a process here is a socket that nobody answers, and goes from hand to hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "functions/pool_parts.h"
#include "runtime/on_fiber.h"

#include <errno.h>
#include <sys/socket.h>

#define CALLERS 32
#define LONG_MS 600000

static struct pool_entry *entry;
static unsigned order[CALLERS], served, refused;
static int refusal; /* the last one's error */

/* A function that may have one process, which is checked out. */
static struct pooled *one_process(const char *name)
{
    int pair[2], retry_after_s;
    struct pooled *process;
    struct version *version = calloc(1, sizeof(*version));
    *version = (struct version){.number = 1, .timeout_ms = 1000, .memory_mb = 64, .concurrency = 1};
    atomic_init(&version->users, 2);
    memcpy(version->id, name, strlen(name));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    entry = pool_entry_get(name);
    pool_set_version(entry, version, 1);
    pool_add(entry, link_new((struct host_process){.fd = pair[0]}), version);
    served = refused = 0;
    assert_int_equal(pool_take(entry, &process, &retry_after_s), 0);
    return process;
}

/* Calls once, as the number `arg`, and lets others run before it gives the process back. */
static void call(void *arg)
{
    int retry_after_s;
    struct pooled *process;
    int error = pool_take(entry, &process, &retry_after_s);
    if (error) {
        refusal = error;
        refused++;
        return;
    }
    order[served++] = (unsigned)(uintptr_t)arg;
    fiber_yield();
    pool_give(process, true);
}

static void start_callers(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        assert_int_equal(fiber_start("caller", call, (void *)(uintptr_t)i), 0);
}

/* All have lost their patience by then: their timers are due before this one's, on the same loop. */
static void wait_beyond_patience(void)
{
    fiber_sleep(50);
}

static void wait_until_served(unsigned count)
{
    while (served + refused < count)
        fiber_sleep(1);
}

static void in_order(void)
{
    struct pooled *process = one_process("in-order");
    start_callers(0, CALLERS / 2);
    wait_beyond_patience();
    start_callers(CALLERS / 2, CALLERS / 2);
    wait_beyond_patience();
    assert_int_equal(pool_counts_of(entry).waiting, CALLERS);
    pool_give(process, true);
    wait_until_served(CALLERS);
    assert_int_equal(refused, 0);
    for (unsigned i = 0; i < CALLERS; i++)
        assert_int_equal(order[i], i);
}

/* Who gives up in the middle of the line leaves the others where they stood. */
static void somebody_leaves(void)
{
    struct pooled *process = one_process("somebody-leaves");
    start_callers(0, 2);
    int64_t before = fiber_narrow_deadline(20);
    int retry_after_s;
    struct pooled *none = NULL;
    start_callers(2, 1);
    assert_int_equal(pool_take(entry, &none, &retry_after_s), -EBUSY);
    assert_null(none);
    fiber_set_deadline(before);
    assert_int_equal(pool_counts_of(entry).waiting, 3);
    pool_give(process, true);
    wait_until_served(3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(order[i], i);
    assert_int_equal(pool_counts_of(entry).busy, 0);
}

/* Those for whom it takes too long are refused from the end of the line, but never the first, whose turn it is. */
static void too_long(void)
{
    struct pooled *process = one_process("too-long");
    start_callers(0, 3);
    wait_beyond_patience();
    pool_note_run(entry, (int64_t)LONG_MS * 2400);
    pool_give(process, true);
    wait_until_served(3);
    assert_int_equal(refused, 2);
    assert_int_equal(refusal, -EBUSY);
    assert_int_equal(served, 1);
    assert_int_equal(order[0], 0);
}

/* A version that may have two processes is deployed while the only one is in a call: its tested process goes to who waits. */
static void one_more(void)
{
    int pair[2];
    one_process("one-more");
    struct version *version = calloc(1, sizeof(*version));
    *version = (struct version){.number = 2, .timeout_ms = 1000, .memory_mb = 64, .concurrency = 2};
    atomic_init(&version->users, 2);
    memcpy(version->id, "one-more-2", sizeof "one-more-2");
    start_callers(0, 1);
    wait_beyond_patience();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pool_set_version(entry, version, 2);
    pool_add(entry, link_new((struct host_process){.fd = pair[0]}), version);
    wait_until_served(1);
    assert_int_equal(served, 1);
    while (pool_counts_of(entry).busy > 1) /* the long call's process stays out: without a host there is nobody to take leave of */
        fiber_sleep(1);
}

static void deleted(void)
{
    one_process("deleted");
    start_callers(0, 2);
    wait_beyond_patience();
    pool_set_version(entry, NULL, 2);
    wait_until_served(2);
    assert_int_equal(refused, 2);
    assert_int_equal(refusal, -ENOENT);
}

static void on_one_worker(void (*body)(void))
{
    struct pool_limits limits = {.processes_max = 32, .waiting_max = CALLERS, .wait_max_ms = LONG_MS, .idle_ms = LONG_MS};
    pool_set_limits(&limits);
    on_fiber(1, body);
}

/* Of ten, every other one waits on this worker. Those who do not are passed over four times at most, and never if calls are long. */
static void near_ones(void)
{
    static const unsigned expected[2][10] = {{1, 3, 5, 7, 0, 9, 2, 4, 6, 8}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
    static char elsewhere;
    for (unsigned is_long = 0; is_long < 2; is_long++) {
        struct pool_entry line = {.run_us = is_long ? 1000 : 999};
        struct waiter waiters[10];
        for (unsigned i = 0; i < 10; i++) {
            waiters[i] = (struct waiter){.worker = i % 2 ? worker_self() : (struct worker *)(void *)&elsewhere};
            pool_line_add(&line, &waiters[i]);
        }
        for (unsigned i = 0; i < 10; i++)
            assert_ptr_equal(pool_line_take_near(&line), &waiters[expected[is_long][i]]);
        assert_null(line.first);
        assert_null(line.last);
        assert_int_equal(line.waiting, 0);
    }
}

static void test_in_order(void **state)
{
    on_one_worker(in_order);
}

static void test_somebody_leaves(void **state)
{
    on_one_worker(somebody_leaves);
}

static void test_too_long(void **state)
{
    on_one_worker(too_long);
}

static void test_one_more(void **state)
{
    on_one_worker(one_more);
}

static void test_near_ones(void **state)
{
    on_one_worker(near_ones);
}

static void test_deleted(void **state)
{
    on_one_worker(deleted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order), cmocka_unit_test(test_somebody_leaves), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_one_more), cmocka_unit_test(test_near_ones),       cmocka_unit_test(test_deleted),
    };
    return cmocka_run_group_tests_name("functions/pool", tests, NULL, NULL);
}
