/* Loading and calling one function. By default each call has a fresh global object: the source is evaluated again, its
 * handler found and called. The first calls have a new context each; then memory is rolled back to where one is that nothing
 * has run in, at a fifth of the cost. With `reuse` the context and the handler of the first call are kept.
 *
 * A promise is waited for by running timers: the engine runs its microtasks whenever control returns from it, so with
 * no timer left a promise that is still pending can never settle. */
#include "function_host/call.h"
#include "function_host/engine.h"
#include "function_host/failure.h"
#include "function_host/snapshot.h"
#include "function_host/timers.h"

#include <JavaScriptCore/JavaScript.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* They show the engine what it needs: code that is parsed and compiled, memory that is committed. */
#define CALLS_BEFORE_SNAPSHOT 8

enum settled { PENDING, FULFILLED, REJECTED };

static struct function_load limits;
static JSStringRef source, source_url, settings_json, find_handler, then_name, settings_name;
static JSGlobalContextRef context; /* the next call's, or with reuse everybody's */
static JSObjectRef kept_handler;   /* with reuse: protected; else NULL */
static bool spent;                 /* something has run in the context */
static unsigned calls;

static JSClassRef fulfil_class, reject_class;
static enum settled settled;
static JSValueRef settled_value; /* protected while not NULL */
static uintptr_t waiting_call;   /* what the callbacks of the promise that is waited for carry */

static const char find_handler_text[] =
    "(() => {"
    "  const exported = typeof module === 'object' && module !== null ? module.exports : undefined;"
    "  if (typeof exported === 'function') return exported;"
    "  if (exported && typeof exported.handler === 'function') return exported.handler;"
    "  if (typeof exports === 'object' && exports && typeof exports.handler === 'function') return exports.handler;"
    "  return typeof handler === 'function' ? handler : undefined;"
    "})()";

/* With reuse, a promise of an earlier call may settle late: its callbacks carry that call's number. */
static void settle(JSContextRef ctx, JSObjectRef callback, enum settled how, size_t count, const JSValueRef arguments[])
{
    if (settled != PENDING || (uintptr_t)JSObjectGetPrivate(callback) != waiting_call)
        return;
    settled = how;
    settled_value = count ? arguments[0] : JSValueMakeUndefined(ctx);
    JSValueProtect(ctx, settled_value);
}

static JSValueRef on_fulfilled(JSContextRef ctx, JSObjectRef function, JSObjectRef self, size_t count,
                               const JSValueRef arguments[], JSValueRef *exception)
{
    settle(ctx, function, FULFILLED, count, arguments);
    return JSValueMakeUndefined(ctx);
}

static JSValueRef on_rejected(JSContextRef ctx, JSObjectRef function, JSObjectRef self, size_t count,
                              const JSValueRef arguments[], JSValueRef *exception)
{
    settle(ctx, function, REJECTED, count, arguments);
    return JSValueMakeUndefined(ctx);
}

static void make_constants(void)
{
    if (find_handler)
        return;
    find_handler = engine_string(find_handler_text);
    then_name = engine_string("then");
    settings_name = engine_string("settings");
    JSClassDefinition definition = kJSClassDefinitionEmpty;
    definition.callAsFunction = on_fulfilled;
    fulfil_class = JSClassCreate(&definition);
    definition.callAsFunction = on_rejected;
    reject_class = JSClassCreate(&definition);
}

/* Runs the source and finds the handler. NULL: *ret_outcome says why not. */
static JSObjectRef evaluate(struct call_outcome *ret_outcome)
{
    JSValueRef exception = NULL;
    JSEvaluateScript(context, source, NULL, source_url, 1, &exception);
    JSValueRef handler = exception ? NULL : JSEvaluateScript(context, find_handler, NULL, NULL, 1, &exception);
    if (exception) {
        failure_describe(context, exception, FUNCTION_FAILURE_THROWN, ret_outcome);
        return NULL;
    }
    if (!JSValueIsObject(context, handler)) {
        failure_say(FUNCTION_FAILURE_NO_HANDLER,
                    "no handler: define function handler(event, context), or set module.exports or exports.handler",
                    ret_outcome);
        return NULL;
    }
    return JSValueToObject(context, handler, NULL);
}

/* The function's own settings, as context.settings of every call. */
static void attach_settings(JSValueRef call_context)
{
    JSObjectRef object = JSValueIsObject(context, call_context) ? JSValueToObject(context, call_context, NULL) : NULL;
    JSValueRef settings = settings_json ? JSValueMakeFromJSONString(context, settings_json) : NULL;
    if (object && settings)
        JSObjectSetProperty(context, object, settings_name, settings, kJSPropertyAttributeNone, NULL);
}

static JSValueRef parse_json(const char *text)
{
    JSStringRef string = engine_string(text);
    JSValueRef value = JSValueMakeFromJSONString(context, string);
    JSStringRelease(string);
    return value ? value : JSValueMakeNull(context);
}

/* The `then` of a value that is a promise or like one, else NULL. */
static JSObjectRef then_of(JSValueRef value, JSValueRef *exception)
{
    if (!JSValueIsObject(context, value))
        return NULL;
    JSObjectRef object = JSValueToObject(context, value, NULL);
    JSValueRef then = JSObjectGetProperty(context, object, then_name, exception);
    if (*exception || !JSValueIsObject(context, then))
        return NULL;
    JSObjectRef function = JSValueToObject(context, then, NULL);
    return JSObjectIsFunction(context, function) ? function : NULL;
}

/* Waits for a promise. NULL: *exception holds what it was rejected with, or nothing if it can never settle. */
static JSValueRef wait_for(JSValueRef promise, JSObjectRef then, JSValueRef *exception)
{
    waiting_call++;
    JSValueRef callbacks[2] = {
        JSObjectMake(context, fulfil_class, (void *)waiting_call),
        JSObjectMake(context, reject_class, (void *)waiting_call),
    };
    settled = PENDING;
    settled_value = NULL;
    JSObjectCallAsFunction(context, then, JSValueToObject(context, promise, NULL), 2, callbacks, exception);
    while (!*exception && settled == PENDING && timers_run_next(context, exception))
        ;
    JSValueRef value = settled_value;
    if (value)
        JSValueUnprotect(context, value);
    settled_value = NULL;
    if (*exception || settled == PENDING)
        return NULL;
    if (settled == REJECTED)
        *exception = value;
    return settled == FULFILLED ? value : NULL;
}

static void encode_result(JSValueRef value, struct call_outcome *ret_outcome)
{
    JSValueRef exception = NULL;
    JSStringRef json = JSValueCreateJSONString(context, value, 0, &exception);
    if (exception) {
        failure_describe(context, exception, FUNCTION_FAILURE_NOT_JSON, ret_outcome);
        return;
    }
    *ret_outcome = (struct call_outcome){ 0 };
    if (!json) { /* undefined, a function, a symbol */
        ret_outcome->result = strdup("null");
        ret_outcome->result_length = strlen("null");
        return;
    }
    if (JSStringGetLength(json) <= limits.result_bytes_max)
        ret_outcome->result = engine_text(json, (size_t)limits.result_bytes_max + 4, &ret_outcome->result_length);
    JSStringRelease(json);
    if (!ret_outcome->result || ret_outcome->result_length > limits.result_bytes_max) {
        free(ret_outcome->result);
        failure_say(FUNCTION_FAILURE_OUTPUT, "the result is larger than the function may answer", ret_outcome);
    }
}

static void invoke(JSObjectRef handler, const char *event, const char *call_context, struct call_outcome *ret_outcome)
{
    JSValueRef exception = NULL;
    JSValueRef arguments[2] = { parse_json(event), parse_json(call_context) };
    attach_settings(arguments[1]);
    JSValueRef value = JSObjectCallAsFunction(context, handler, NULL, 2, arguments, &exception);
    JSObjectRef then = exception ? NULL : then_of(value, &exception);
    if (then)
        value = wait_for(value, then, &exception);
    if (exception)
        failure_describe(context, exception, FUNCTION_FAILURE_THROWN, ret_outcome);
    else if (!value)
        failure_say(FUNCTION_FAILURE_NEVER_SETTLES, "the handler's promise can never settle: nothing is left to wait for",
                    ret_outcome);
    else
        encode_result(value, ret_outcome);
}

/* Keeps the handler across calls if the function asks for that. */
static JSObjectRef handler_of_call(struct call_outcome *ret_outcome)
{
    if (kept_handler)
        return kept_handler;
    JSObjectRef handler = evaluate(ret_outcome);
    if (handler && limits.flags & FUNCTION_LOAD_REUSE) {
        kept_handler = handler;
        JSValueProtect(context, handler);
    }
    return handler;
}

static void drop_context(void)
{
    if (!context)
        return;
    timers_clear_all(context);
    JSGlobalContextRelease(context);
    context = NULL;
}

/* Sees to a context that nothing has run in. */
void call_prepare(void)
{
    if (context && (!spent || kept_handler))
        return;
    if (snapshot_roll_back())
        return;
    drop_context();
    context = engine_context_new();
    spent = false;
    if (!snapshot_is_possible())
        return;
    if (calls == CALLS_BEFORE_SNAPSHOT - 1) /* what is in use again after the last of them is what they all need */
        engine_trim(context);
    if (calls == CALLS_BEFORE_SNAPSHOT) {
        calls = 0;
        snapshot_take();
    }
}

void call_load(const struct function_load *load, const char *name, const char *source_text, const char *settings,
               struct call_outcome *ret_outcome)
{
    make_constants();
    call_prepare();
    limits = *load;
    source = engine_string(source_text);
    source_url = engine_string(name);
    settings_json = engine_string(settings);
    JSValueRef exception = NULL;
    if (!JSCheckScriptSyntax(context, source, source_url, 1, &exception)) {
        failure_describe(context, exception, FUNCTION_FAILURE_SYNTAX, ret_outcome);
        return;
    }
    uint64_t start_ns = timers_now_ns();
    *ret_outcome = (struct call_outcome){ 0 };
    spent = true;
    handler_of_call(ret_outcome);
    ret_outcome->failure.run_ns = timers_now_ns() - start_ns;
}

void call_run(const char *event, const char *call_context, struct call_outcome *ret_outcome)
{
    uint64_t start_ns = timers_now_ns();
    call_prepare();
    spent = true;
    calls++;
    JSObjectRef handler = handler_of_call(ret_outcome);
    if (handler)
        invoke(handler, event, call_context, ret_outcome);
    ret_outcome->failure.run_ns = timers_now_ns() - start_ns;
    timers_clear_all(context);
}

void call_trim(void)
{
    call_prepare();
    if (!snapshot_is_taken())
        engine_trim(context);
}

void call_outcome_fini(struct call_outcome *outcome)
{
    free(outcome->result);
    free(outcome->name);
    free(outcome->message);
    free(outcome->stack);
}
