/* The globals of the web platform, bundled from functions/prelude at build time. */
#ifndef PURSER_FUNCTION_HOST_PRELUDE_H
#define PURSER_FUNCTION_HOST_PRELUDE_H

struct prelude_module {
    const char *name; /* NULL ends the table */
    const char *source; /* an expression: a function that takes `load` and returns the module's exports */
};

/* An expression: a function that takes the host's native calls and sets up the global object. */
extern const char *const prelude_bootstrap;
extern const struct prelude_module prelude_modules[];

#endif
