/* Describing what a script threw, which may be anything: an error, a string, a proxy whose every getter throws. */
#include "function_host/failure.h"
#include "function_host/engine.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 128
#define MESSAGE_BYTES_MAX 4096
#define STACK_BYTES_MAX 8192

static JSValueRef property(JSContextRef context, JSObjectRef object, const char *name)
{
    JSValueRef exception = NULL;
    JSStringRef key = engine_string(name);
    JSValueRef value = JSObjectGetProperty(context, object, key, &exception);
    JSStringRelease(key);
    return exception || !value || JSValueIsUndefined(context, value) ? NULL : value;
}

static char *property_text(JSContextRef context, JSObjectRef object, const char *name, size_t bytes_max)
{
    JSValueRef value = property(context, object, name);
    return value ? engine_value_text(context, value, bytes_max, NULL) : NULL;
}

static uint32_t property_number(JSContextRef context, JSObjectRef object, const char *name)
{
    JSValueRef value = property(context, object, name);
    if (!value || !JSValueIsNumber(context, value))
        return 0;
    double number = JSValueToNumber(context, value, NULL);
    return number >= 1 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* The engine has no class of its own for running out of memory: it throws this RangeError. */
static bool is_out_of_memory(const struct call_outcome *outcome)
{
    return outcome->name && outcome->message && !strcmp(outcome->name, "RangeError") &&
           !strncmp(outcome->message, "Out of memory", strlen("Out of memory"));
}

void failure_describe(JSContextRef context, JSValueRef exception, enum function_failure_kind kind,
                      struct call_outcome *ret_outcome)
{
    *ret_outcome = (struct call_outcome){ .failure.kind = kind };
    JSObjectRef object = JSValueIsObject(context, exception) ? JSValueToObject(context, exception, NULL) : NULL;
    if (object) {
        ret_outcome->name = property_text(context, object, "name", NAME_BYTES_MAX);
        ret_outcome->message = property_text(context, object, "message", MESSAGE_BYTES_MAX);
        ret_outcome->stack = property_text(context, object, "stack", STACK_BYTES_MAX);
        ret_outcome->failure.line = property_number(context, object, "line");
        ret_outcome->failure.column = property_number(context, object, "column");
    }
    if (!ret_outcome->message)
        ret_outcome->message = engine_value_text(context, exception, MESSAGE_BYTES_MAX, NULL);
    if (!ret_outcome->message)
        ret_outcome->message = strdup("a value that cannot be shown was thrown");
    if (kind == FUNCTION_FAILURE_THROWN && is_out_of_memory(ret_outcome))
        ret_outcome->failure.kind = FUNCTION_FAILURE_MEMORY;
}

void failure_say(enum function_failure_kind kind, const char *message, struct call_outcome *ret_outcome)
{
    *ret_outcome = (struct call_outcome){ .failure.kind = kind, .message = strdup(message) };
}
