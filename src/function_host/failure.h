/* From a JavaScript exception to the words of a failure. */
#ifndef PURSER_FUNCTION_HOST_FAILURE_H
#define PURSER_FUNCTION_HOST_FAILURE_H

#include "function_host/call.h"

#include <JavaScriptCore/JavaScript.h>

/* Describes what was thrown; getters of the thrown value that throw in turn are passed over. */
void failure_describe(JSContextRef context, JSValueRef exception, enum function_failure_kind kind,
                      struct call_outcome *ret_outcome);

/* A failure without an exception. */
void failure_say(enum function_failure_kind kind, const char *message, struct call_outcome *ret_outcome);

#endif
