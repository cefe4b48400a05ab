/* JavaScriptCore, set up so that a process that has it may fork: no thread is ever started by it. */
#ifndef PURSER_FUNCTION_HOST_ENGINE_H
#define PURSER_FUNCTION_HOST_ENGINE_H

#include <JavaScriptCore/JavaScript.h>
#include <stddef.h>

/* Initialises the engine. Called once, before any fork; ends the process with one line if threads were started. */
void engine_init(void);

/* A fresh global object with the prelude in place. The caller releases it with JSGlobalContextRelease. */
JSGlobalContextRef engine_context_new(void);

/* Gives memory that is free inside the engine back to the system. */
void engine_trim(JSContextRef context);

/* The engine's string of NUL-terminated UTF-8; the caller releases it. */
JSStringRef engine_string(const char *text);

/* UTF-8 of an engine's string, cut at bytes_max on a character's border; the caller frees it. */
char *engine_text(JSStringRef string, size_t bytes_max, size_t *ret_length);

/* The same of any value; a value that cannot be shown as text gives NULL. NULL context properties are fine. */
char *engine_value_text(JSContextRef context, JSValueRef value, size_t bytes_max, size_t *ret_length);

#endif
