/*
 * JSON trees on jansson; json_parse.c makes them of text. Their memory comes from memory_take, and whether some was refused is remembered, since
 * jansson does not always tell that apart from a mistake.
 */
#include "base/json.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAL_DIGITS 17 /* tell any two reals apart, and are more than most need */

static _Thread_local bool is_short; /* memory was refused, and the work has not ended for it yet */

static void *allocate(size_t size)
{
    void *at = memory_take(size);
    is_short |= !at;
    return at;
}

void json_begin(void)
{
    json_set_alloc_funcs(allocate, memory_give);
}

_Noreturn void json_short(void)
{
    is_short = false;
    memory_short();
}

void json_forgive(void)
{
    is_short = false;
}

static void release(void *arg)
{
    json_decref(arg);
}

json_t *json_keep(struct arena *arena, json_t *tree)
{
    if (!tree)
        json_short();
    arena_defer(arena, release, tree);
    return tree;
}

json_t *json_make(struct arena *arena, const char *format, ...)
{
    json_error_t error = {0};
    va_list arguments;
    va_start(arguments, format);
    json_t *tree = json_vpack_ex(&error, 0, format, arguments);
    va_end(arguments);
    if (is_short) {
        json_decref(tree); /* without a member of the kind that may be left out ("s*"), for which there was no memory */
        json_short();
    }
    enum json_error_code code = tree ? json_error_unknown : json_error_code(&error);
    if (!tree && (code == json_error_invalid_format || code == json_error_null_value)) {
        fprintf(stderr, "json_make: %s in %s\n", error.text, format);
        abort();
    }
    /* What else fails is bytes of somebody outside that are no UTF-8: this piece of work ends as it does without memory. */
    return json_keep(arena, tree);
}

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

static bool begins_number(char c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

static size_t number_end(struct text source, size_t at)
{
    while (at < source.size && is_number_byte(source.at[at]))
        at++;
    return at;
}

/* The first byte behind the string whose opening quote is at `at`. */
static size_t scan_string(struct text source, size_t at)
{
    for (at++; at < source.size; at++) {
        const char *quote = memchr(source.at + at, '"', source.size - at);
        if (!quote)
            return source.size;
        size_t escapes = 0, end = (size_t)(quote - source.at);
        while (escapes < end - at && quote[-1 - (long)escapes] == '\\')
            escapes++;
        at = end;
        if (escapes % 2 == 0)
            return end + 1;
    }
    return source.size;
}

/* The shortest text of a real that jansson printed with 17 digits, in its place; it stays one that is read as a real. */
static size_t shorten_real(char *at, size_t size)
{
    char long_form[40], form[40];
    if (size <= REAL_DIGITS || size >= sizeof long_form || !memchr(at, '.', size))
        return size;
    memcpy(long_form, at, size);
    long_form[size] = '\0';
    double value = strtod(long_form, NULL);
    for (int digits = REAL_DIGITS - 2; digits < REAL_DIGITS; digits++) {
        size_t length = (size_t)snprintf(form, sizeof form, "%.*g", digits, value);
        if (length < size && form[strspn(form, "-0123456789")] && strtod(form, NULL) == value) {
            memcpy(at, form, length);
            return length;
        }
    }
    return size;
}

size_t json_shorten_reals(char *text, size_t size)
{
    struct text source = {text, size};
    size_t out = 0;
    for (size_t at = 0, end; at < size; at = end) {
        size_t length = 1;
        end = at + 1;
        if (text[at] == '"') {
            length = (end = scan_string(source, at)) - at;
        } else if (begins_number(text[at])) {
            end = number_end(source, at);
            length = shorten_real(text + at, end - at);
        }
        if (out != at)
            memmove(text + out, text + at, length);
        out += length;
    }
    return out;
}

char *json_print(struct arena *arena, const json_t *tree, size_t *ret_size)
{
    /* Nothing waits between here and the copy, so one room a thread does for most. */
    static _Thread_local char small[4096];
    size_t size = json_dumpb(tree, small, sizeof small, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!size)
        json_short();
    char *text;
    if (size <= sizeof small) {
        size = json_shorten_reals(small, size);
        text = arena_copy(arena, small, size);
    } else {
        text = arena_alloc(arena, size + 1);
        if (json_dumpb(tree, text, size, JSON_COMPACT | JSON_ENCODE_ANY) != size)
            json_short();
        size = json_shorten_reals(text, size);
        text[size] = '\0';
    }
    if (ret_size)
        *ret_size = size;
    return text;
}

static void or_end(int error)
{
    if (error)
        json_short();
}

void json_put(json_t *object, const char *key, json_t *value)
{
    or_end(json_object_set(object, key, value));
}

void json_put_new(json_t *object, const char *key, json_t *value)
{
    or_end(json_object_set_new(object, key, value));
}

void json_add(json_t *array, json_t *value)
{
    or_end(json_array_append(array, value));
}

void json_add_new(json_t *array, json_t *value)
{
    or_end(json_array_append_new(array, value));
}

const char *json_get_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t json_get_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

bool json_get_bool(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}
