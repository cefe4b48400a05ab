/* The small parts of JSON, one after the other, for those who put them together: json_parse.c makes trees of them, json_members.c passes over most. */
#include "base/json_scan.h"

#include <errno.h>
#include <string.h>

struct json_scan json_scan_of(struct arena *arena, struct text source)
{
    const char *begin = source.size ? source.at : "";
    return (struct json_scan){.begin = begin, .at = begin, .end = begin + source.size, .arena = arena};
}

bool json_scan_fail(struct json_scan *scan, const char *problem)
{
    scan->problem = problem;
    return false;
}

/* ---- what is between values ---- */

bool json_scan_more(struct json_scan *scan, char closing, bool first)
{
    json_skip_blanks(scan);
    if (json_take(scan, closing))
        return false;
    return first || json_take(scan, ',') || json_scan_fail(scan, "a comma or a closing bracket is missing");
}

bool json_scan_name(struct json_scan *scan, struct text *ret_name)
{
    json_skip_blanks(scan);
    if (scan->at == scan->end || *scan->at != '"')
        return json_scan_fail(scan, "a member's name is missing");
    if (!json_scan_string(scan, ret_name))
        return false;
    json_skip_blanks(scan);
    return json_take(scan, ':') || json_scan_fail(scan, "a colon is missing");
}

bool json_scan_end(struct json_scan *scan)
{
    json_skip_blanks(scan);
    if (scan->at != scan->end)
        return json_scan_fail(scan, "something follows the value");
    if (!scan->nul)
        return true;
    scan->at = scan->nul;
    scan->error = -EILSEQ;
    return json_scan_fail(scan, "a string has the character U+0000, which cannot be kept");
}

/* ---- strings ---- */

/* Four hexadecimal digits; negative if they are none. */
static long read_unit(struct json_scan *scan)
{
    long unit = 0;
    if (scan->end - scan->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *scan->at++;
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
static size_t read_code_point(struct json_scan *scan, char *out)
{
    long code = read_unit(scan);
    if (code >= 0xd800 && code < 0xdc00 && json_take(scan, '\\') && json_take(scan, 'u')) {
        long low = read_unit(scan);
        code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    if (code < 0 || (code >= 0xd800 && code < 0xe000))
        return 0;
    if (!code && !scan->nul)
        scan->nul = scan->at;
    return print_utf8(code, out);
}

/* What follows a backslash. Its bytes, or 0. */
static size_t read_escape(struct json_scan *scan, char *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (scan->at == scan->end)
        return 0;
    char name = *scan->at++;
    if (name == 'u')
        return read_code_point(scan, out);
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
static bool unescape(struct json_scan *scan, struct text *ret_string, bool *ret_wide)
{
    const char *closing = scan->at;
    while (closing < scan->end && *closing != '"')
        closing += *closing == '\\' ? 2 : 1;
    if (closing >= scan->end)
        return json_scan_fail(scan, "a string has no end");
    char *bytes = arena_alloc(scan->arena, (size_t)(closing - scan->at)), *out = bytes;
    for (;;) {
        const char *plain = scan->at;
        scan->at = plain_end(plain, scan->end, ret_wide);
        memcpy(out, plain, (size_t)(scan->at - plain));
        out += scan->at - plain;
        if (!json_take(scan, '\\'))
            break;
        size_t size = read_escape(scan, out);
        if (!size)
            return json_scan_fail(scan, "there is no such escape");
        out += size;
    }
    *ret_string = (struct text){bytes, (size_t)(out - bytes)};
    return true;
}

bool json_scan_string(struct json_scan *scan, struct text *ret_string)
{
    bool wide = false;
    const char *first = ++scan->at, *last = plain_end(first, scan->end, &wide);
    if (last < scan->end && *last == '\\') {
        if (!unescape(scan, ret_string, &wide))
            return false;
    } else {
        *ret_string = (struct text){first, (size_t)(last - first)};
        scan->at = last;
    }
    if (!json_take(scan, '"'))
        return json_scan_fail(scan, scan->at == scan->end ? "a string has no end" : "a string has a control character");
    return !wide || text_is_utf8(*ret_string) || json_scan_fail(scan, "a string is no UTF-8");
}

/* ---- numbers and words ---- */

/* How many digits were skipped. */
static size_t skip_digits(struct json_scan *scan)
{
    const char *first = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - first);
}

static bool skip_fraction(struct json_scan *scan)
{
    bool good = true;
    if (json_take(scan, '.'))
        good = skip_digits(scan) > 0;
    if (good && (json_take(scan, 'e') || json_take(scan, 'E'))) {
        if (!json_take(scan, '+'))
            json_take(scan, '-');
        good = skip_digits(scan) > 0;
    }
    return good;
}

bool json_scan_number(struct json_scan *scan, bool *ret_is_whole)
{
    json_take(scan, '-');
    const char *digits = scan->at;
    size_t count = skip_digits(scan);
    const char *behind = scan->at;
    if (!count || (*digits == '0' && count > 1) || !skip_fraction(scan))
        return json_scan_fail(scan, "this is no number");
    *ret_is_whole = scan->at == behind;
    return true;
}

bool json_scan_integer(struct text number, int64_t *ret_value)
{
    bool negative = *number.at == '-';
    uint64_t value = 0, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    for (size_t i = negative; i < number.size; i++) {
        unsigned digit = (unsigned)(number.at[i] - '0');
        if (value > (most - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

char json_scan_word(struct json_scan *scan)
{
    static const struct text words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    struct text rest = {scan->at, (size_t)(scan->end - scan->at)};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (text_starts(rest, words[i])) {
            scan->at += words[i].size;
            return *words[i].at;
        }
    json_scan_fail(scan, scan->at == scan->end ? "a value is missing" : "this is no value");
    return '\0';
}

int json_scan_refuse(const struct json_scan *scan, struct err *err)
{
    int line = 1, column = 1;
    for (const char *at = scan->begin; at < scan->at; at++) {
        line += *at == '\n';
        column = *at == '\n' ? 1 : column + 1;
    }
    return err_set(err, scan->error ? scan->error : -EINVAL, "line %d, column %d: %s", line, column, scan->problem);
}
