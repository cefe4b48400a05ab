/*
 * RFC 8259 in one pass over the bytes, into jansson's trees: jansson's own scanner takes each byte through a call or two, and would recurse 2,048
 * levels deep, which overruns a fiber's stack. Strict: UTF-8 is checked, and no two members of an object have one name (RFC 7493).
 */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define INT64_DIGITS 18 /* any integer of so many digits fits */

struct parser {
    const char *begin, *at, *end;
    struct arena *arena; /* for strings with escapes, and for long numbers */
    unsigned depth;
    const char *problem; /* NULL after a failure: memory is short */
};

static bool fail(struct parser *parser, const char *problem)
{
    parser->problem = problem;
    return false;
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\r' || *parser->at == '\t'))
        parser->at++;
}

/* Takes the byte if it is the next one. */
static bool take(struct parser *parser, char byte)
{
    if (parser->at == parser->end || *parser->at != byte)
        return false;
    parser->at++;
    return true;
}

/* ---- strings ---- */

/* Four hexadecimal digits; negative if they are none. */
static long read_unit(struct parser *parser)
{
    long unit = 0;
    if (parser->end - parser->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *parser->at++;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static size_t print_utf8(long code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf0 << (4 - size)) | code);
    return size;
}

/* What follows \u: a code point, of two units where it takes a pair. Its bytes, or 0. */
static size_t read_code_point(struct parser *parser, char *out)
{
    long code = read_unit(parser);
    if (code >= 0xd800 && code < 0xdc00 && take(parser, '\\') && take(parser, 'u')) {
        long low = read_unit(parser);
        code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    return code < 1 || (code >= 0xd800 && code < 0xe000) ? 0 : print_utf8(code, out);
}

/* What follows a backslash. Its bytes, or 0. */
static size_t read_escape(struct parser *parser, char *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (parser->at == parser->end)
        return 0;
    char name = *parser->at++;
    if (name == 'u')
        return read_code_point(parser, out);
    const char *found = name ? strchr(names, name) : NULL;
    if (!found)
        return 0;
    *out = values[found - names];
    return 1;
}

/* The end of what needs no second look: a quote, a backslash, or what may not be there. Notes bytes beyond ASCII. */
static const char *plain_end(const char *at, const char *end, bool *ret_wide)
{
    unsigned char seen = 0;
    for (; at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20; at++)
        seen |= (unsigned char)*at;
    *ret_wide |= seen >= 0x80;
    return at;
}

/* A string with escapes, from its first byte on: never longer than it is in the source. */
static bool unescape(struct parser *parser, struct text *ret_string, bool *ret_wide)
{
    const char *closing = parser->at;
    while (closing < parser->end && *closing != '"')
        closing += *closing == '\\' ? 2 : 1;
    if (closing >= parser->end)
        return fail(parser, "a string has no end");
    char *bytes = arena_alloc(parser->arena, (size_t)(closing - parser->at)), *out = bytes;
    for (;;) {
        const char *plain = parser->at;
        parser->at = plain_end(plain, parser->end, ret_wide);
        memcpy(out, plain, (size_t)(parser->at - plain));
        out += parser->at - plain;
        if (!take(parser, '\\'))
            break;
        size_t size = read_escape(parser, out);
        if (!size)
            return fail(parser, "there is no such escape");
        out += size;
    }
    *ret_string = (struct text){bytes, (size_t)(out - bytes)};
    return true;
}

/* The opening quote is next. */
static bool read_string(struct parser *parser, struct text *ret_string)
{
    bool wide = false;
    const char *first = ++parser->at, *last = plain_end(first, parser->end, &wide);
    if (last < parser->end && *last == '\\') {
        if (!unescape(parser, ret_string, &wide))
            return false;
    } else {
        *ret_string = (struct text){first, (size_t)(last - first)};
        parser->at = last;
    }
    if (!take(parser, '"'))
        return fail(parser, parser->at == parser->end ? "a string has no end" : "a string has a control character");
    return !wide || text_is_utf8(*ret_string) || fail(parser, "a string is no UTF-8");
}

/* ---- other values ---- */

/* How many digits were skipped. */
static size_t skip_digits(struct parser *parser)
{
    const char *first = parser->at;
    while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9')
        parser->at++;
    return (size_t)(parser->at - first);
}

static bool skip_fraction(struct parser *parser)
{
    bool good = true;
    if (take(parser, '.'))
        good = skip_digits(parser) > 0;
    if (good && (take(parser, 'e') || take(parser, 'E'))) {
        if (!take(parser, '+'))
            take(parser, '-');
        good = skip_digits(parser) > 0;
    }
    return good;
}

/* An integer that does not fit is a real. */
static json_t *parse_number(struct parser *parser)
{
    const char *first = parser->at;
    take(parser, '-');
    const char *digits = parser->at;
    size_t count = skip_digits(parser);
    const char *behind = parser->at;
    if (!count || (*digits == '0' && count > 1) || !skip_fraction(parser)) {
        fail(parser, "this is no number");
        return NULL;
    }
    if (parser->at == behind && count <= INT64_DIGITS) {
        int64_t value = 0;
        for (; digits < behind; digits++)
            value = value * 10 + (*digits - '0');
        return json_integer(*first == '-' ? -value : value);
    }
    char *copy = arena_copy(parser->arena, first, (size_t)(parser->at - first));
    errno = 0;
    long long whole = parser->at == behind ? strtoll(copy, NULL, 10) : 0;
    if (parser->at == behind && !errno)
        return json_integer(whole);
    double real = strtod(copy, NULL);
    if (isfinite(real))
        return json_real(real);
    fail(parser, "a number is too large");
    return NULL;
}

static json_t *parse_word(struct parser *parser)
{
    static const struct text words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    struct text rest = {parser->at, (size_t)(parser->end - parser->at)};
    for (unsigned i = 0; i < 3; i++)
        if (text_starts(rest, words[i])) {
            parser->at += words[i].size;
            return i == 2 ? json_null() : json_boolean(i == 0);
        }
    fail(parser, parser->at == parser->end ? "a value is missing" : "this is no value");
    return NULL;
}

/* ---- containers ---- */

/* A value that is whole, or a container whose opening bracket is taken. */
static json_t *begin_value(struct parser *parser)
{
    struct text string;
    skip_blanks(parser);
    switch (parser->at < parser->end ? *parser->at : 0) {
    case '{': parser->at++; return json_object();
    case '[': parser->at++; return json_array();
    case '"': return read_string(parser, &string) ? json_stringn_nocheck(string.at, string.size) : NULL;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return parse_number(parser);
    default: return parse_word(parser);
    }
}

static bool fill(struct parser *parser, json_t *value);

static bool parse_member(struct parser *parser, json_t *object)
{
    struct text name;
    size_t before = json_object_size(object);
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != '"')
        return fail(parser, "a member's name is missing");
    if (!read_string(parser, &name))
        return false;
    skip_blanks(parser);
    if (!take(parser, ':'))
        return fail(parser, "a colon is missing");
    json_t *value = begin_value(parser);
    if (!value || json_object_setn_new_nocheck(object, name.at, name.size, value))
        return false;
    return json_object_size(object) > before ? fill(parser, value) : fail(parser, "a name is there twice");
}

static bool parse_element(struct parser *parser, json_t *array)
{
    json_t *value = begin_value(parser);
    return value && json_array_append_new(array, value) == 0 && fill(parser, value);
}

/* The content of a container up to its closing bracket. What is in the tree goes with the tree, so nothing is lost where this ends early. */
static bool fill(struct parser *parser, json_t *value)
{
    bool is_object = json_is_object(value), good = true;
    char closing = is_object ? '}' : ']';
    if (!is_object && !json_is_array(value))
        return true;
    if (++parser->depth > JSON_DEPTH_MAX)
        return fail(parser, "nested too deep");
    skip_blanks(parser);
    for (bool first = true; good && !take(parser, closing); first = false) {
        if (!first && !take(parser, ','))
            return fail(parser, "a comma or a closing bracket is missing");
        good = is_object ? parse_member(parser, value) : parse_element(parser, value);
        skip_blanks(parser);
    }
    parser->depth--;
    return good;
}

/* ---- the whole ---- */

static int refuse(const struct parser *parser, struct err *err)
{
    int line = 1, column = 1;
    for (const char *at = parser->begin; at < parser->at; at++) {
        line += *at == '\n';
        column = *at == '\n' ? 1 : column + 1;
    }
    return err_set(err, -EINVAL, "line %d, column %d: %s", line, column, parser->problem);
}

int json_parse(struct arena *arena, struct text source, json_t **ret_tree, struct err *err)
{
    const char *begin = source.size ? source.at : "";
    struct parser parser = {.begin = begin, .at = begin, .end = begin + source.size, .arena = arena};
    json_t *tree = begin_value(&parser);
    bool good = tree && fill(&parser, json_keep(arena, tree));
    skip_blanks(&parser);
    if (good && parser.at < parser.end)
        good = fail(&parser, "something follows the value");
    if (good) {
        *ret_tree = tree;
        return 0;
    }
    if (!parser.problem)
        json_short();
    return refuse(&parser, err);
}
