/* Text is gathered in a room of the thread, since nothing waits meanwhile, and copied once; what is larger moves to the arena. */
#include "base/json_text.h"

#include "base/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ROOM 4096

struct out {
    struct arena *arena;
    char *at;
    size_t size, room;
};

static _Thread_local char small[ROOM];

static void put(struct out *out, const char *bytes, size_t size)
{
    if (out->room - out->size < size) {
        size_t room = 2 * (out->size + size);
        char *more = arena_alloc(out->arena, room);
        memcpy(more, out->at, out->size);
        out->at = more;
        out->room = room;
    }
    memcpy(out->at + out->size, bytes, size);
    out->size += size;
}

static void put_escape(struct out *out, unsigned char byte)
{
    static const char named[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *found = byte ? strchr(named, byte) : NULL;
    char escape[8];
    if (found)
        snprintf(escape, sizeof escape, "\\%c", names[found - named]);
    else
        snprintf(escape, sizeof escape, "\\u%04X", byte);
    put(out, escape, strlen(escape));
}

static void put_string(struct out *out, const char *string)
{
    const char *first = string, *at = string;
    unsigned char seen = 0;
    put(out, "\"", 1);
    for (; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        seen |= byte;
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        put(out, first, (size_t)(at - first));
        put_escape(out, byte);
        first = at + 1;
    }
    put(out, first, (size_t)(at - first));
    put(out, "\"", 1);
    if (seen >= 0x80 && !text_is_utf8((struct text){string, (size_t)(at - string)}))
        json_short();
}

static void put_integer(struct out *out, int64_t value)
{
    char room[DECIMAL_ROOM];
    struct text digits = decimal_print(value, room);
    put(out, digits.at, digits.size);
}

static void put_name(struct out *out, const char *name)
{
    put(out, out->size > 1 ? ",\"" : "\"", out->size > 1 ? 2 : 1);
    put(out, name, strlen(name));
    put(out, "\":", 2);
}

static struct text whole(const struct out *out)
{
    return (struct text){arena_copy(out->arena, out->at, out->size), out->size};
}

static void put_member(struct out *out, char type, const char *name, va_list *arguments)
{
    const char *string;
    const struct text *json;
    int64_t integer;
    switch (type) {
    case 's':
    case 'n':
        string = va_arg(*arguments, const char *);
        if (!string && type == 's')
            return;
        put_name(out, name);
        if (string)
            put_string(out, string);
        else
            put(out, "null", 4);
        return;
    case 'i':
    case 'p':
        integer = va_arg(*arguments, int64_t);
        if (!integer && type == 'p')
            return;
        put_name(out, name);
        put_integer(out, integer);
        return;
    default:
        assert(type == 'j');
        json = va_arg(*arguments, const struct text *);
        if (!json->at)
            return;
        put_name(out, name);
        put(out, json->at, json->size);
    }
}

struct text json_text(struct arena *arena, const char *types, ...)
{
    struct out out = {arena, small, 0, sizeof small};
    va_list arguments;
    va_start(arguments, types);
    put(&out, "{", 1);
    for (; *types; types++) {
        const char *name = va_arg(arguments, const char *);
        put_member(&out, *types, name, &arguments);
    }
    put(&out, "}", 1);
    va_end(arguments);
    return whole(&out);
}

struct text json_text_array(struct arena *arena, const struct text *elements, size_t count)
{
    struct out out = {arena, small, 0, sizeof small};
    put(&out, "[", 1);
    for (size_t i = 0; i < count; i++) {
        put(&out, ",", i > 0);
        put(&out, elements[i].at, elements[i].size);
    }
    put(&out, "]", 1);
    return whole(&out);
}
