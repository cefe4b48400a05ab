/* Setting up JavaScriptCore. Its collector and compilers usually work on threads of their own, and fork() keeps only
 * the thread that calls it: so all of that is switched to the calling thread before the engine starts, and its memory
 * scavenger, which has no option, is suspended by the allocator's own entry point. */
#include "function_host/engine.h"
#include "function_host/natives.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exported by the engine's allocator, libpas. */
extern void pas_scavenger_suspend(void) __attribute__((weak));
extern void pas_scavenger_run_synchronously_now(void) __attribute__((weak));

static JSContextGroupRef group;

static const char *const options[][2] = {
    { "JSC_useConcurrentGC", "0" },
    { "JSC_useConcurrentJIT", "0" },
    { "JSC_numberOfGCMarkers", "1" },
    { "JSC_useSharedArrayBuffer", "0" },
    { "JSC_forceRAMSize", "268435456" }, /* sizes the heap's growth for a small process */
    { "JSC_smallHeapSize", "4194304" }, /* a context is 200 KB and gone with its call: collected at 4 MB, not at 1 */
    /* Compiled code is dearer than none in a context where it runs once, so only what loops for long is compiled. */
    { "JSC_thresholdForJITAfterWarmUp", "200000" },
    { "JSC_thresholdForJITSoon", "200000" },
};

static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

void engine_init(void)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        setenv(options[i][0], options[i][1], 1);
    if (pas_scavenger_suspend)
        pas_scavenger_suspend();
    group = JSContextGroupCreate();
    natives_init();
    JSGlobalContextRef context = engine_context_new();
    JSGlobalContextRelease(context);
    if (count_threads() != 1) {
        fprintf(stderr, "purser-function-host: this build of JavaScriptCore starts threads; it cannot be forked\n");
        exit(1);
    }
}

JSGlobalContextRef engine_context_new(void)
{
    JSGlobalContextRef context = JSGlobalContextCreateInGroup(group, NULL);
    natives_install(context);
    return context;
}

void engine_trim(JSContextRef context)
{
    JSGarbageCollect(context);
    if (pas_scavenger_run_synchronously_now)
        pas_scavenger_run_synchronously_now();
}

JSStringRef engine_string(const char *text)
{
    return JSStringCreateWithUTF8CString(text);
}

char *engine_text(JSStringRef string, size_t bytes_max, size_t *ret_length)
{
    size_t size = JSStringGetMaximumUTF8CStringSize(string);
    if (size > bytes_max + 1)
        size = bytes_max + 1;
    char *text = malloc(size);
    if (!text)
        abort();
    size_t written = JSStringGetUTF8CString(string, text, size); /* cuts between characters */
    if (written == 0) {
        text[0] = 0;
        written = 1;
    }
    if (ret_length)
        *ret_length = written - 1;
    return text;
}

char *engine_value_text(JSContextRef context, JSValueRef value, size_t bytes_max, size_t *ret_length)
{
    JSValueRef exception = NULL;
    JSStringRef string = JSValueToStringCopy(context, value, &exception);
    if (!string || exception)
        return NULL;
    char *text = engine_text(string, bytes_max, ret_length);
    JSStringRelease(string);
    return text;
}
