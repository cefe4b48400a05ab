/* The sources under functions/builtin, embedded at build time by make-builtins. */
#ifndef PURSER_FUNCTIONS_BUILTIN_SOURCES_H
#define PURSER_FUNCTIONS_BUILTIN_SOURCES_H

struct builtin_source {
    const char *name;     /* NULL ends the table */
    const char *triggers; /* JSON array */
    const char *source;
};

extern const struct builtin_source builtin_sources[];

#endif
