/*
 * What the port suites share. A suite is written once and runs against the adapter that the settings name (PURSER_DATABASE_URL and so on;
 * embedded by default), in a data folder of its own. Each case runs on a fiber of worker 0 of two workers.
 */
#ifndef PURSER_TESTS_PORT_CASE_H
#define PURSER_TESTS_PORT_CASE_H

#include "base/clock.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "runtime/worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka's asserts leave by longjmp, which a fiber cannot; this ends the process with a line. */
#define check(condition) ((condition) ? (void)0 : case_failed(__FILE__, __LINE__, #condition))
#define check_equal(got, want) case_check_equal(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
/* Calls again while it says -EAGAIN, for up to a minute: what the callers of a port do where an engine is busy. */
#define check_succeeds(call)                                                                                       \
    do {                                                                                                           \
        int64_t until_mono_ms_ = clock_mono_ms() + 60000;                                                          \
        int code_;                                                                                                 \
        while ((code_ = (call)) == -EAGAIN && clock_mono_ms() < until_mono_ms_)                                    \
            fiber_sleep(50);                                                                                       \
        case_check_equal(__FILE__, __LINE__, #call, code_, 0);                                                     \
    } while (0)
_Noreturn void case_failed(const char *file, int line, const char *what);
void case_check_equal(const char *file, int line, const char *what, long long got, long long want);

/* Loads the settings, with `data` a new folder. In main, once. */
void case_settings(void);
/* Starts workers, runs the body on a fiber, ends the workers. */
void case_run(void (*body)(void *arg), void *arg);
/* The same in a child process; returns waitpid's status. */
int case_run_in_child(void (*body)(void *arg), void *arg);
/* A name that nobody had before: "prefix-<uuid>". In memory that stays. */
const char *case_name(const char *prefix);
/* Waits on the fiber until the condition holds; fails after a minute. */
void case_until(bool (*holds)(void *arg), void *arg);
/* Waits until the number is at least `least`. */
void case_until_count(_Atomic int *number, int least);
/* Runs `run(arg)` on `count` fibers spread over the workers and waits for all. */
void case_crowd(unsigned count, void (*run)(void *arg), void *arg);

#endif
