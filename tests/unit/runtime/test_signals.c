/* Signals as calls on worker 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/on_fiber.h"
#include "runtime/signals.h"

#include <signal.h>
#include <unistd.h>

static int terminated, reloaded;
static struct fiber *waiting;

static void terminate(void *arg)
{
    assert_ptr_equal(worker_self(), worker_at(0));
    terminated++;
    fiber_wake(waiting);
}

static void reload(void *arg)
{
    reloaded++;
    fiber_wake(waiting);
}

static void signals(void)
{
    waiting = fiber_self();
    signals_remember_reload();
    raise(SIGHUP);
    raise(SIGHUP);
    assert_int_equal(reloaded, 0);
    assert_int_equal(signals_start(terminate, reload, NULL), 0);
    assert_int_equal(reloaded, 1);
    kill(getpid(), SIGPIPE);
    kill(getpid(), SIGHUP);
    while (reloaded < 2)
        fiber_wait();
    kill(getpid(), SIGTERM);
    while (terminated < 1)
        fiber_wait();
    kill(getpid(), SIGINT);
    while (terminated < 2)
        fiber_wait();
    assert_int_equal(reloaded, 2);
}

static void each_signal_has_its_call(void **state)
{
    on_fiber(2, signals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_signal_has_its_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
