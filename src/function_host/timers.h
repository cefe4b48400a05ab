/* setTimeout and setInterval of the one context that runs. */
#ifndef PURSER_FUNCTION_HOST_TIMERS_H
#define PURSER_FUNCTION_HOST_TIMERS_H

#include <JavaScriptCore/JavaScript.h>
#include <stdbool.h>
#include <stdint.h>

/* A timer's id, or 0 when there are too many. The callback is protected until it has run or is cleared. */
uint32_t timers_add(JSContextRef context, JSObjectRef callback, double delay_ms, bool repeats);

void timers_clear(JSContextRef context, uint32_t id);

/* Sleeps until the next timer is due and runs it. False when there is none. ret_exception is what it threw, or NULL. */
bool timers_run_next(JSContextRef context, JSValueRef *ret_exception);

void timers_clear_all(JSContextRef context);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t timers_now_ns(void);

#endif
