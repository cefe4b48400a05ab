/* W3C trace context (traceparent, version 00) and request ids. */
#ifndef PURSER_BASE_TRACE_H
#define PURSER_BASE_TRACE_H

#include "base/text.h"

#define TRACEPARENT_SIZE 56
#define REQUEST_ID_MAX 128

struct trace {
    char traceparent[TRACEPARENT_SIZE]; /* 00-<32 hex>-<16 hex>-<2 hex> */
    char request_id[REQUEST_ID_MAX + 1];
};

/* Takes what is well-formed from the caller's headers (either may be empty) and makes the rest; the span id is always new. */
void trace_begin(struct trace *trace, struct text traceparent, struct text request_id);

#endif
