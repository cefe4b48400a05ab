/* One function: its source, and a call of it. */
#ifndef PURSER_FUNCTION_HOST_CALL_H
#define PURSER_FUNCTION_HOST_CALL_H

#include "function_host/protocol.h"

#include <stddef.h>

/* What came of loading or calling: a result, or a failure with its words. */
struct call_outcome {
    char *result; /* JSON; NULL: it failed */
    size_t result_length;
    struct function_failure failure;
    char *name; /* of the error; the rest may be NULL */
    char *message;
    char *stack;
};

/* Takes the source in and runs it once, so that mistakes show. The names and texts are copied. */
void call_load(const struct function_load *load, const char *name, const char *source, const char *settings,
               struct call_outcome *ret_outcome);

/* Calls the handler and waits until what it returned has settled. event and context are JSON. */
void call_run(const char *event, const char *context, struct call_outcome *ret_outcome);

/* Makes ready for the next call what can be made ready. */
void call_prepare(void);

/* Gives back memory while nobody calls. */
void call_trim(void);

void call_outcome_fini(struct call_outcome *outcome);

#endif
