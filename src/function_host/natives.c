/* The native calls that the prelude's bootstrap gets as its `host`. They trust nothing that a script passes: the
 * bootstrap closes over `host`, so only its own code calls them, but its arguments come from anywhere. */
#include "function_host/natives.h"
#include "function_host/engine.h"
#include "function_host/prelude.h"
#include "function_host/snapshot.h"
#include "function_host/timers.h"
#ifdef PURSER_FUNCTION_HOST_ATTACKS
#include "function_host/attacks.h"
#endif

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LOG_LINE_BYTES_MAX (16u * 1024)

#define NATIVE(name)                                                                                                   \
    static JSValueRef name(JSContextRef context, JSObjectRef function, JSObjectRef self, size_t count,                 \
                           const JSValueRef arguments[], JSValueRef *exception)

static JSClassRef host_class;
static JSStringRef bootstrap_source;
static natives_log_fn *log_line;
static uint64_t start_ns;

static JSValueRef fail(JSContextRef context, const char *message, JSValueRef *exception)
{
    JSStringRef text = engine_string(message);
    JSValueRef argument = JSValueMakeString(context, text);
    JSStringRelease(text);
    *exception = JSObjectMakeError(context, 1, &argument, NULL);
    return JSValueMakeUndefined(context);
}

NATIVE(native_load)
{
    char *name = count == 1 ? engine_value_text(context, arguments[0], 64, NULL) : NULL;
    const struct prelude_module *module = prelude_modules;
    while (name && module->name && strcmp(module->name, name) != 0)
        module++;
    free(name);
    if (!name || !module->name)
        return fail(context, "no such module", exception);
    JSStringRef source = engine_string(module->source);
    JSValueRef loaded = JSEvaluateScript(context, source, NULL, NULL, 1, exception);
    JSStringRelease(source);
    return loaded ? loaded : JSValueMakeUndefined(context);
}

NATIVE(native_log)
{
    if (count != 2 || !log_line)
        return JSValueMakeUndefined(context);
    size_t length;
    char *level = engine_value_text(context, arguments[0], 16, NULL);
    char *text = engine_value_text(context, arguments[1], LOG_LINE_BYTES_MAX, &length);
    if (level && text)
        log_line(level, text, length);
    free(level);
    free(text);
    return JSValueMakeUndefined(context);
}

NATIVE(native_now)
{
    return JSValueMakeNumber(context, (double)(timers_now_ns() - start_ns) / 1e6);
}

NATIVE(native_set_timer)
{
    if (count != 3 || !JSValueIsObject(context, arguments[0]))
        return fail(context, "a timer needs a function", exception);
    JSObjectRef callback = JSValueToObject(context, arguments[0], exception);
    double delay_ms = JSValueToNumber(context, arguments[1], exception);
    if (*exception)
        return JSValueMakeUndefined(context);
    uint32_t id = timers_add(context, callback, delay_ms, JSValueToBoolean(context, arguments[2]));
    if (!id)
        return fail(context, "too many timers", exception);
    return JSValueMakeNumber(context, id);
}

NATIVE(native_clear_timer)
{
    double id = count == 1 ? JSValueToNumber(context, arguments[0], exception) : 0;
    if (id > 0 && id <= UINT32_MAX)
        timers_clear(context, (uint32_t)id);
    return JSValueMakeUndefined(context);
}

NATIVE(native_fill_random)
{
    if (count != 1 || JSValueGetTypedArrayType(context, arguments[0], exception) != kJSTypedArrayTypeUint8Array)
        return fail(context, "fillRandom needs a Uint8Array", exception);
    JSObjectRef array = JSValueToObject(context, arguments[0], exception);
    uint8_t *bytes = JSObjectGetTypedArrayBytesPtr(context, array, exception);
    size_t length = JSObjectGetTypedArrayByteLength(context, array, exception);
    size_t offset = JSObjectGetTypedArrayByteOffset(context, array, exception);
    if (bytes)
        snapshot_will_write(bytes + offset, length);
    for (size_t at = 0; bytes && at < length;) {
        ssize_t got = getrandom(bytes + offset + at, length - at, 0);
        if (got < 0)
            return fail(context, "no random bytes", exception);
        at += (size_t)got;
    }
    return arguments[0];
}

static const JSStaticFunction functions[] = {
    { "load", native_load, kJSPropertyAttributeReadOnly },
    { "log", native_log, kJSPropertyAttributeReadOnly },
    { "now", native_now, kJSPropertyAttributeReadOnly },
    { "setTimer", native_set_timer, kJSPropertyAttributeReadOnly },
    { "clearTimer", native_clear_timer, kJSPropertyAttributeReadOnly },
    { "fillRandom", native_fill_random, kJSPropertyAttributeReadOnly },
    { NULL, NULL, 0 },
};

void natives_init(void)
{
    JSClassDefinition definition = kJSClassDefinitionEmpty;
    definition.className = "Host";
    definition.staticFunctions = functions;
    host_class = JSClassCreate(&definition);
    bootstrap_source = engine_string(prelude_bootstrap);
    start_ns = timers_now_ns();
}

void natives_install(JSGlobalContextRef context)
{
    JSValueRef exception = NULL;
    JSValueRef bootstrap = JSEvaluateScript(context, bootstrap_source, NULL, NULL, 1, &exception);
    if (exception)
        abort();
    JSObjectRef function = JSValueToObject(context, bootstrap, NULL);
    JSValueRef host = JSObjectMake(context, host_class, NULL);
    JSObjectCallAsFunction(context, function, NULL, 1, &host, &exception);
    if (exception)
        abort();
#ifdef PURSER_FUNCTION_HOST_ATTACKS
    attacks_install(context);
#endif
}

void natives_set_log(natives_log_fn *log)
{
    log_line = log;
}
