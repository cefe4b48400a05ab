/* Runs a test's body on a fiber of worker 0, with `workers` workers, until it returns. */
#ifndef PURSER_TESTS_ON_FIBER_H
#define PURSER_TESTS_ON_FIBER_H

#include "runtime/worker.h"

static void (*on_fiber_body)(void);

static inline void on_fiber_main(void *arg)
{
    on_fiber_body();
    workers_stop();
}

static inline void on_fiber(unsigned workers, void (*body)(void))
{
    struct err err;
    on_fiber_body = body;
    if (workers_start(workers, &err) || fiber_start("test", on_fiber_main, NULL))
        abort();
    worker_run();
}

#endif
