/* One call of a function, from its name to its outcome. */
#ifndef PURSER_FUNCTIONS_CALL_H
#define PURSER_FUNCTIONS_CALL_H

#include "engines/database.h"
#include "functions/pool.h"

enum outcome_kind {
    OUTCOME_SUCCEEDED,
    OUTCOME_FAILED,      /* it threw, its promise was rejected, or its result is no JSON */
    OUTCOME_TIMEOUT,
    OUTCOME_MEMORY,
    OUTCOME_OUTPUT,      /* its result is larger than it may be */
    OUTCOME_BUSY,        /* too many wait; retry_after_s */
    OUTCOME_GONE,        /* there is no such function (any more) */
    OUTCOME_UNAVAILABLE, /* no host, or it was lost twice */
};

struct call_request {
    struct text event;   /* JSON */
    const char *cause;   /* "http", or the trigger */
    struct text message; /* the whole CloudEvent as JSON, or nothing: context.event */
    const char *request_id; /* or NULL */
};

/* In the fiber's arena. */
struct call_outcome {
    enum outcome_kind kind;
    struct text result;          /* JSON */
    const char *message, *stack; /* of a failure; stack may be NULL */
    json_t *logs; /* array of texts */
    int64_t duration_us, version;
    int retry_after_s;
};

/* Calls it. Waits in line, for its process, and for its end: the host holds it to its limits. */
FIBER_FN void call_function(struct database *database, struct pool_entry *entry, const struct call_request *request,
                            struct call_outcome *ret_outcome);

/* Tries a source before it is stored: parses it and runs its top level in a process of its own, which comes back in *ret_link (owned) when all
 * is well. Else a negative, with the failure in ret_outcome, and its line (0: none). */
FIBER_FN int call_try_source(const char *name, const char *source, const struct version *version, struct link **ret_link,
                             struct call_outcome *ret_outcome, unsigned *ret_line);

/* "succeeded", "failed", … for metrics and logs. */
const char *call_kind_name(enum outcome_kind kind);
/* {message, stack} of a failure, or null. */
json_t *call_error(struct arena *arena, const struct call_outcome *outcome);

#endif
