/*
 * JSON on jansson, with what it does not check by itself: a limit on depth before it recurses (its own limit of 2,048 would overrun a
 * fiber's stack), and integers beyond 64 bits, which it refuses as malformed although they are only too large.
 *
 * Its own memory comes from memory_get, and whether some was refused is remembered, since it does not always tell that apart from a mistake.
 */
#include "base/json.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INT64_DIGITS 18 /* any integer of so many digits fits */
#define REAL_DIGITS 17  /* tell any two reals apart, and are more than most need */

static _Thread_local bool is_short; /* memory was refused since this was last cleared */
static _Thread_local bool is_parsing;

/* Jansson's scanner goes on after its text could not grow, without the byte that it lost; no more memory makes it stop at once. */
static void *allocate(size_t size)
{
    void *at = is_parsing && is_short ? NULL : memory_get(size);
    is_short |= !at;
    return at;
}

void json_begin(void)
{
    json_set_alloc_funcs(allocate, free);
}

/* What one pass over the source finds without parsing it. */
struct scan {
    bool too_deep;
    unsigned long_integers;
};

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

static bool begins_number(char c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

/* The number that begins at `at`: its end, and whether it is an integer that may not fit. */
static size_t scan_number(struct text source, size_t at, bool *ret_long)
{
    size_t digits = 0;
    bool integer = true;
    for (; at < source.size && is_number_byte(source.at[at]); at++) {
        if (source.at[at] >= '0' && source.at[at] <= '9')
            digits++;
        else if (source.at[at] != '-')
            integer = false;
    }
    *ret_long = integer && digits > INT64_DIGITS;
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

/* With `out`, copies the source and makes each long integer a real by ".0". */
static struct scan scan(struct text source, struct buffer *out)
{
    struct scan found = {0};
    unsigned depth = 0;
    for (size_t at = 0; at < source.size;) {
        char c = source.at[at];
        size_t end = at + 1;
        bool is_long = false;
        if (c == '"')
            end = scan_string(source, at);
        else if (begins_number(c))
            end = scan_number(source, at, &is_long);
        else if (c == '[' || c == '{')
            found.too_deep |= ++depth > JSON_DEPTH_MAX;
        else if ((c == ']' || c == '}') && depth)
            depth--;
        found.long_integers += is_long;
        if (out)
            buffer_add(out, source.at + at, end - at);
        if (out && is_long)
            buffer_add_string(out, ".0");
        at = end;
    }
    return found;
}

static void free_buffer(void *arg)
{
    buffer_fini(arg);
}

int json_parse(struct arena *arena, struct text source, json_t **ret_tree, struct err *err)
{
    struct scan found = scan(source, NULL);
    if (found.too_deep)
        return err_set(err, -EINVAL, "nested deeper than %d levels", JSON_DEPTH_MAX);
    if (found.long_integers) {
        struct buffer *reals = arena_alloc(arena, sizeof *reals);
        arena_defer(arena, free_buffer, reals);
        scan(source, reals);
        if (reals->failed)
            memory_short();
        source = (struct text){reals->at, reals->size};
    }
    json_error_t error = {0};
    is_short = false;
    is_parsing = true;
    json_t *tree = json_loadb(source.size ? source.at : "", source.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    is_parsing = false;
    if (is_short) {
        json_decref(tree);
        memory_short();
    }
    if (!tree)
        return err_set(err, -EINVAL, "line %d, column %d: %s", error.line, error.column, error.text);
    *ret_tree = json_keep(arena, tree);
    return 0;
}

static void release(void *arg)
{
    json_decref(arg);
}

json_t *json_keep(struct arena *arena, json_t *tree)
{
    if (!tree)
        memory_short();
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
    enum json_error_code code = tree ? json_error_unknown : json_error_code(&error);
    if (!tree && !is_short && (code == json_error_invalid_format || code == json_error_null_value)) {
        fprintf(stderr, "json_make: %s in %s\n", error.text, format);
        abort();
    }
    is_short = false;
    /* What else fails is memory, or bytes of somebody outside that are no UTF-8: either way this piece of work ends. */
    return json_keep(arena, tree);
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
        bool is_long;
        size_t length = 1;
        end = at + 1;
        if (text[at] == '"') {
            length = (end = scan_string(source, at)) - at;
        } else if (begins_number(text[at])) {
            end = scan_number(source, at, &is_long);
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
        memory_short();
    char *text;
    if (size <= sizeof small) {
        size = json_shorten_reals(small, size);
        text = arena_copy(arena, small, size);
    } else {
        text = arena_alloc(arena, size + 1);
        if (json_dumpb(tree, text, size, JSON_COMPACT | JSON_ENCODE_ANY) != size)
            memory_short();
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
        memory_short();
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
