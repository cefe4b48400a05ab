/*
 * RFC 8259 in one pass over the bytes, into jansson's trees: jansson's own scanner takes each byte through a call or two, and would recurse 2,048
 * levels deep, which overruns a fiber's stack. Strict: UTF-8 is checked, and no two members of an object have one name (RFC 7493).
 */
#include "base/json.h"
#include "base/json_scan.h"

#include <math.h>
#include <stdlib.h>

/* An integer that does not fit is a real. */
static json_t *parse_number(struct json_scan *scan)
{
    const char *first = scan->at;
    bool is_whole;
    if (!json_scan_number(scan, &is_whole))
        return NULL;
    const struct text number = {first, (size_t)(scan->at - first)};
    int64_t value;
    if (is_whole && json_scan_integer(number, &value))
        return json_integer(value);
    double real = strtod(arena_copy(scan->arena, number.at, number.size), NULL);
    if (isfinite(real))
        return json_real(real);
    json_scan_fail(scan, "a number is too large");
    return NULL;
}

static json_t *parse_word(struct json_scan *scan)
{
    switch (json_scan_word(scan)) {
    case 't': return json_true();
    case 'f': return json_false();
    case 'n': return json_null();
    default: return NULL;
    }
}

/* ---- containers ---- */

/* A value that is whole, or a container whose opening bracket is taken. */
static json_t *begin_value(struct json_scan *scan)
{
    struct text string;
    json_skip_blanks(scan);
    switch (scan->at < scan->end ? *scan->at : 0) {
    case '{': scan->at++; return json_object();
    case '[': scan->at++; return json_array();
    case '"': return json_scan_string(scan, &string) ? json_stringn_nocheck(string.at, string.size) : NULL;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return parse_number(scan);
    default: return parse_word(scan);
    }
}

static bool fill(struct json_scan *scan, json_t *value);

static bool parse_member(struct json_scan *scan, json_t *object)
{
    struct text name;
    size_t before = json_object_size(object);
    if (!json_scan_name(scan, &name))
        return false;
    json_t *value = begin_value(scan);
    if (!value || json_object_setn_new_nocheck(object, name.at, name.size, value))
        return false;
    return json_object_size(object) > before ? fill(scan, value) : json_scan_fail(scan, "a name is there twice");
}

static bool parse_element(struct json_scan *scan, json_t *array)
{
    json_t *value = begin_value(scan);
    return value && json_array_append_new(array, value) == 0 && fill(scan, value);
}

/* The content of a container up to its closing bracket. What is in the tree goes with the tree, so nothing is lost where this ends early. */
static bool fill(struct json_scan *scan, json_t *value)
{
    bool is_object = json_is_object(value);
    if (!is_object && !json_is_array(value))
        return true;
    if (++scan->depth > JSON_DEPTH_MAX)
        return json_scan_fail(scan, "nested too deep");
    for (bool first = true; json_scan_more(scan, is_object ? '}' : ']', first); first = false)
        if (is_object ? !parse_member(scan, value) : !parse_element(scan, value))
            return false;
    scan->depth--;
    return !scan->problem;
}

/* ---- the whole ---- */

int json_parse(struct arena *arena, struct text source, json_t **ret_tree, struct err *err)
{
    struct json_scan scan = json_scan_of(arena, source);
    json_t *tree = begin_value(&scan);
    if (tree && fill(&scan, json_keep(arena, tree)) && json_scan_end(&scan)) {
        *ret_tree = tree;
        return 0;
    }
    if (!scan.problem)
        json_short();
    return json_scan_refuse(&scan, err);
}
