/* The native calls behind the prelude: console, clock, random bytes, timers, loading of modules. */
#ifndef PURSER_FUNCTION_HOST_NATIVES_H
#define PURSER_FUNCTION_HOST_NATIVES_H

#include <JavaScriptCore/JavaScript.h>
#include <stddef.h>

typedef void natives_log_fn(const char *level, const char *text, size_t length);

void natives_init(void);

/* Runs the prelude's bootstrap in a new context. A failure is a broken build: aborts. */
void natives_install(JSGlobalContextRef context);

/* Where lines of console.* go; NULL drops them. */
void natives_set_log(natives_log_fn *log);

#endif
