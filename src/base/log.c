/*
 * Log lines. Every request makes one, so the usual format of members, a flat object, is written straight into the line; what is nested
 * goes through jansson. A line is one write(2): lines of several threads never mix, and nothing is buffered when the process ends.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define VALUE_MAX 1000

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
static void add_string(struct buffer *line, const char *value)
{
    size_t size = cut(value, strlen(value)), plain = 0;
    bool ascii_only = !text_is_utf8((struct text){value, size});
    buffer_add(line, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !(ascii_only && c > 0x7f))
            continue;
        buffer_add(line, value + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\') {
            char pair[2] = {'\\', (char)c};
            buffer_add(line, pair, 2);
        } else {
            buffer_printf(line, "\\u%04x", c);
        }
    }
    buffer_add(line, value + plain, size - plain);
    buffer_add(line, "\"", 1);
}

static void add_member(struct buffer *line, const char *key, const char *value)
{
    if (!value)
        return;
    buffer_add(line, ",\"", 2);
    buffer_add_string(line, key);
    buffer_add(line, "\":", 2);
    add_string(line, value);
}

/* Whether the format is an object of s:s, s:s?, s:s*, s:i, s:I, s:b and s:f members alone. */
static bool is_flat(const char *format)
{
    bool value = false;
    for (const char *at = format; *at; at++) {
        if (*at == ':')
            value = true;
        else if (*at == ',')
            value = false;
        else if (value ? !strchr("siIbf?*} ", *at) : !strchr("{s} ", *at))
            return false;
    }
    return true;
}

static void add_number(struct buffer *line, double value)
{
    if (isfinite(value))
        buffer_printf(line, "%.6g", value);
    else
        buffer_add_string(line, "null");
}

static void add_value(struct buffer *line, char type, va_list *arguments)
{
    const char *text;
    switch (type) {
    case 's':
        text = va_arg(*arguments, const char *);
        if (text)
            add_string(line, text);
        else
            buffer_add_string(line, "null");
        break;
    case 'i':
        buffer_printf(line, "%d", va_arg(*arguments, int));
        break;
    case 'I':
        buffer_printf(line, "%" PRId64, (int64_t)va_arg(*arguments, json_int_t));
        break;
    case 'b':
        buffer_add_string(line, va_arg(*arguments, int) ? "true" : "false");
        break;
    default:
        add_number(line, va_arg(*arguments, double));
    }
}

static void add_flat(struct buffer *line, const char *format, va_list *arguments)
{
    for (const char *at = strchr(format, ':'); at; at = strchr(at, ':')) {
        at++;
        while (*at == ' ')
            at++;
        const char *key = va_arg(*arguments, const char *);
        buffer_add(line, ",\"", 2);
        buffer_add_string(line, key);
        buffer_add(line, "\":", 2);
        add_value(line, *at, arguments);
    }
}

static void shorten_strings(json_t *tree)
{
    const char *key;
    json_t *value;
    json_object_foreach(tree, key, value)
        if (json_string_length(value) > VALUE_MAX)
            json_string_setn(value, json_string_value(value), cut(json_string_value(value), json_string_length(value)));
}

static void add_nested(struct buffer *line, const char *format, va_list *arguments)
{
    json_error_t error;
    json_t *tree = json_vpack_ex(&error, 0, format, *arguments);
    if (!tree) {
        add_member(line, "unprintable", error.text);
        return;
    }
    shorten_strings(tree);
    char *text = json_dumps(tree, JSON_COMPACT);
    if (text && text[0] == '{' && text[1] != '}') {
        buffer_add(line, ",", 1);
        buffer_add(line, text + 1, strlen(text) - 2);
    }
    free(text);
    json_decref(tree);
}

/* Standard error may be a full pipe or gone: a log line is never worth waiting or failing for more than this. */
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

static _Thread_local struct buffer line; /* kept: nothing waits while a line is made */
static pthread_key_t line_key;
static pthread_once_t line_once = PTHREAD_ONCE_INIT;

static void free_line(void *own)
{
    buffer_fini(own);
}

static void make_line_key(void)
{
    pthread_key_create(&line_key, free_line);
}

static void write_line(enum log_level level, const char *event, const char *members, va_list *arguments)
{
    if (!line.at) {
        pthread_once(&line_once, make_line_key);
        pthread_setspecific(line_key, &line); /* for when the thread ends */
    }
    char time[TIME_TEXT_SIZE];
    time_print(clock_wall_ms(), time);
    line.size = 0;
    line.failed = false;
    buffer_add_string(&line, "{\"time\":\"");
    buffer_add(&line, time, TIME_TEXT_SIZE - 1);
    buffer_add_string(&line, "\",\"level\":\"");
    buffer_add_string(&line, level_names[level]);
    buffer_add_string(&line, "\",\"event\":");
    add_string(&line, event);
    add_member(&line, "request_id", context_request_id ? context_request_id() : NULL);
    add_member(&line, "trace_id", context_trace_id ? context_trace_id() : NULL);
    if (members && is_flat(members))
        add_flat(&line, members, arguments);
    else if (members)
        add_nested(&line, members, arguments);
    buffer_add(&line, "}\n", 2);
    if (line.failed)
        write_out("{\"level\":\"error\",\"event\":\"log line lost: out of memory\"}\n", 62);
    else
        write_out(line.at, line.size);
    if (line.room > 64 * 1024)
        buffer_fini(&line);
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
