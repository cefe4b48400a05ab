/*
 * Log lines. Every request makes one, so the usual format of members, a flat object, is written straight into the line; what is nested
 * goes through jansson. Lines are written whole, so those of several threads never mix. A thread may hold its lines back for a moment, to
 * write many at once; warnings and what is worse go out at once, with all that was held before them.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define VALUE_MAX 1000
#define HELD_MAX (32 * 1024)

static _Atomic int lowest = LOG_INFO;
static const char *(*context_request_id)(void);
static const char *(*context_trace_id)(void);

static const char *const level_names[] = {"debug", "info", "warn", "error", "fatal"};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lowest, (int)level, memory_order_relaxed);
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (!strcmp(name, level_names[i])) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

void log_set_context(const char *(*request_id)(void), const char *(*trace_id)(void))
{
    context_request_id = request_id;
    context_trace_id = trace_id;
}

/* Cut where a character begins. */
static size_t cut(const char *value, size_t size)
{
    if (size <= VALUE_MAX)
        return size;
    size = VALUE_MAX;
    while (size > VALUE_MAX - 4 && ((unsigned char)value[size] & 0xc0) == 0x80)
        size--;
    return size;
}

/* Escaped; bytes that are no UTF-8 are shown as the escapes of Latin-1, so that a line is always JSON. */
static void add_string(struct buffer *out, struct text given)
{
    const char *value = given.at;
    size_t size = cut(value, given.size), plain = 0;
    bool ascii_only = !text_is_utf8((struct text){value, size});
    buffer_add(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !(ascii_only && c > 0x7f))
            continue;
        buffer_add(out, value + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\') {
            char pair[2] = {'\\', (char)c};
            buffer_add(out, pair, 2);
        } else {
            buffer_printf(out, "\\u%04x", c);
        }
    }
    buffer_add(out, value + plain, size - plain);
    buffer_add(out, "\"", 1);
}

static void add_key(struct buffer *out, const char *key)
{
    buffer_add(out, ",\"", 2);
    buffer_add_string(out, key);
    buffer_add(out, "\":", 2);
}

static void add_member(struct buffer *out, const char *key, const char *value)
{
    if (!value)
        return;
    add_key(out, key);
    add_string(out, text_of(value));
}

/* Whether the format is an object of s:s, s:s?, s:s%, s:i, s:I, s:b and s:f members alone. */
static bool is_flat(const char *format)
{
    bool value = false;
    for (const char *at = format; *at; at++) {
        if (*at == ':')
            value = true;
        else if (*at == ',')
            value = false;
        else if (value ? !strchr("siIbf?%} ", *at) : !strchr("{s} ", *at))
            return false;
    }
    return true;
}

static void add_number(struct buffer *out, double value)
{
    if (isfinite(value))
        buffer_printf(out, "%.6g", value);
    else
        buffer_add_string(out, "null");
}

static void add_integer(struct buffer *out, int64_t value)
{
    char room[DECIMAL_ROOM];
    struct text digits = decimal_print(value, room);
    buffer_add(out, digits.at, digits.size);
}

static void add_value(struct buffer *out, const char *type, va_list *arguments)
{
    struct text text;
    switch (*type) {
    case 's':
        text.at = va_arg(*arguments, const char *);
        text.size = type[1] == '%' ? va_arg(*arguments, size_t) : text.at ? strlen(text.at) : 0;
        if (text.at)
            add_string(out, text);
        else
            buffer_add_string(out, "null");
        break;
    case 'i':
        add_integer(out, va_arg(*arguments, int));
        break;
    case 'I':
        add_integer(out, va_arg(*arguments, json_int_t));
        break;
    case 'b':
        buffer_add_string(out, va_arg(*arguments, int) ? "true" : "false");
        break;
    default:
        add_number(out, va_arg(*arguments, double));
    }
}

/* Both return whether a member was request_id. */
static bool add_flat(struct buffer *out, const char *format, va_list *arguments)
{
    bool has_id = false;
    for (const char *at = strchr(format, ':'); at; at = strchr(at, ':')) {
        at++;
        while (*at == ' ')
            at++;
        const char *key = va_arg(*arguments, const char *);
        has_id |= !strcmp(key, "request_id");
        add_key(out, key);
        add_value(out, at, arguments);
    }
    return has_id;
}

static void shorten_strings(json_t *tree)
{
    const char *key;
    json_t *value;
    json_object_foreach(tree, key, value)
        if (json_string_length(value) > VALUE_MAX)
            json_string_setn(value, json_string_value(value), cut(json_string_value(value), json_string_length(value)));
}

static bool add_nested(struct buffer *out, const char *format, va_list *arguments)
{
    json_error_t error;
    json_t *tree = json_vpack_ex(&error, 0, format, *arguments);
    if (!tree) {
        add_member(out, "unprintable", error.text);
        return false;
    }
    shorten_strings(tree);
    bool has_id = json_object_get(tree, "request_id");
    char *text = json_dumps(tree, JSON_COMPACT);
    if (text && text[0] == '{' && text[1] != '}') {
        buffer_add(out, ",", 1);
        buffer_add(out, text + 1, strlen(text) - 2);
    }
    free(text);
    json_decref(tree);
    return has_id;
}

/* Standard error may be gone: a log line is nothing to fail for. */
static void write_out(const char *at, size_t size)
{
    while (size) {
        ssize_t count = write(STDERR_FILENO, at, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;
        at += count;
        size -= (size_t)count;
    }
}

static _Thread_local struct buffer lines; /* kept: nothing waits while a line is made */
static _Thread_local bool holding;
static pthread_key_t lines_key;
static pthread_once_t lines_once = PTHREAD_ONCE_INIT;

static void free_lines(void *own)
{
    log_flush();
    buffer_fini(own);
}

static void make_lines_key(void)
{
    pthread_key_create(&lines_key, free_lines);
}

void log_hold(bool hold)
{
    holding = hold;
    if (!hold)
        log_flush();
}

void log_flush(void)
{
    write_out(lines.at, lines.size);
    lines.size = 0;
    if (lines.room > 2 * HELD_MAX)
        buffer_fini(&lines);
}

static void add_line(struct buffer *out, enum log_level level, const char *event, const char *members, va_list *arguments)
{
    char time[TIME_TEXT_SIZE];
    bool has_id = false;
    time_print(clock_wall_ms(), time);
    buffer_add_string(out, "{\"time\":\"");
    buffer_add(out, time, TIME_TEXT_SIZE - 1);
    buffer_add_string(out, "\",\"level\":\"");
    buffer_add_string(out, level_names[level]);
    buffer_add_string(out, "\",\"event\":");
    add_string(out, text_of(event));
    if (members)
        has_id = is_flat(members) ? add_flat(out, members, arguments) : add_nested(out, members, arguments);
    if (!has_id)
        add_member(out, "request_id", context_request_id ? context_request_id() : NULL);
    add_member(out, "trace_id", context_trace_id ? context_trace_id() : NULL);
    buffer_add(out, "}\n", 2);
}

static void write_line(enum log_level level, const char *event, const char *members, va_list *arguments)
{
    static const char lost[] = "{\"level\":\"error\",\"event\":\"log line lost: out of memory\"}\n";
    if (!lines.at) {
        pthread_once(&lines_once, make_lines_key);
        pthread_setspecific(lines_key, &lines); /* for when the thread ends */
    }
    size_t before = lines.size;
    add_line(&lines, level, event, members, arguments);
    if (lines.failed) {
        lines.failed = false;
        lines.size = before;
        write_out(lost, sizeof lost - 1);
    }
    if (!holding || level >= LOG_WARN || lines.size > HELD_MAX)
        log_flush();
}

void log_write(enum log_level level, const char *event, const char *members, ...)
{
    if ((int)level < atomic_load_explicit(&lowest, memory_order_relaxed))
        return;
    int saved = errno;
    va_list arguments;
    va_start(arguments, members);
    write_line(level, event, members, &arguments);
    va_end(arguments);
    errno = saved;
}

void log_fatal(const char *event, const char *members, ...)
{
    va_list arguments;
    va_start(arguments, members);
    write_line(LOG_FATAL, event, members, &arguments);
    va_end(arguments);
    _exit(1);
}
