/* One pass over the text. What is not asked for is checked and forgotten. */
#include "base/json_members.h"

#include "base/json.h"
#include "base/json_scan.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool skip_content(struct json_scan *scan, char closing);

/* Only with an exponent, or with that many digits, it may be one that no real holds. */
static bool skip_number(struct json_scan *scan)
{
    bool is_whole;
    const char *first = scan->at;
    if (!json_scan_number(scan, &is_whole))
        return false;
    size_t size = (size_t)(scan->at - first);
    if (size <= DBL_MAX_10_EXP && !memchr(first, 'e', size) && !memchr(first, 'E', size))
        return true;
    return isfinite(strtod(arena_copy(scan->arena, first, size), NULL)) || json_scan_fail(scan, "a number is too large");
}

/* Any value; ret_string: of a string. */
static bool skip_value(struct json_scan *scan, struct text *ret_string)
{
    json_skip_blanks(scan);
    switch (scan->at < scan->end ? *scan->at : 0) {
    case '{': scan->at++; return skip_content(scan, '}');
    case '[': scan->at++; return skip_content(scan, ']');
    case '"': return json_scan_string(scan, ret_string);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8':
    case '9': return skip_number(scan);
    default: return json_scan_word(scan);
    }
}

/* A container's up to its closing bracket. */
static bool skip_content(struct json_scan *scan, char closing)
{
    struct text unused;
    if (++scan->depth > JSON_DEPTH_MAX)
        return json_scan_fail(scan, "nested too deep");
    for (bool first = true; json_scan_more(scan, closing, first); first = false)
        if ((closing == '}' && !json_scan_name(scan, &unused)) || !skip_value(scan, &unused))
            return false;
    scan->depth--;
    return !scan->problem;
}

static struct json_member *find(struct json_member *members, unsigned count, struct text name)
{
    for (unsigned i = 0; i < count; i++)
        if (strlen(members[i].name) == name.size && memcmp(members[i].name, name.at, name.size) == 0)
            return &members[i];
    return NULL;
}

static bool read_wanted(struct json_scan *scan, struct json_member *member)
{
    struct text string = {0};
    if (member->raw.at)
        return json_scan_fail(scan, "a name is there twice");
    json_skip_blanks(scan);
    const char *first = scan->at;
    if (!skip_value(scan, &string))
        return false;
    member->raw = (struct text){first, (size_t)(scan->at - first)};
    if (*first == '"')
        member->string = arena_copy(scan->arena, string.at, string.size);
    else if (*first == '-' || (*first >= '0' && *first <= '9'))
        member->is_integer = !memchr(first, '.', member->raw.size) && !memchr(first, 'e', member->raw.size) &&
                             !memchr(first, 'E', member->raw.size) && json_scan_integer(member->raw, &member->integer);
    return true;
}

/* `enough`: stops when all are there. */
static bool read_object(struct json_scan *scan, struct json_member *members, unsigned count, bool enough)
{
    unsigned left = count;
    json_skip_blanks(scan);
    if (!json_take(scan, '{'))
        return json_scan_fail(scan, "this is no object");
    scan->depth = 1;
    for (bool first = true; json_scan_more(scan, '}', first); first = false) {
        struct text name, unused;
        if (!json_scan_name(scan, &name))
            return false;
        struct json_member *member = find(members, count, name);
        if (member ? !read_wanted(scan, member) : !skip_value(scan, &unused))
            return false;
        left -= member != NULL;
        if (enough && !left)
            return !scan->nul;
    }
    return !scan->problem && json_scan_end(scan);
}

int json_check(struct arena *arena, struct text source, struct err *err)
{
    struct json_scan scan = json_scan_of(arena, source);
    struct text unused;
    return skip_value(&scan, &unused) && json_scan_end(&scan) ? 0 : json_scan_refuse(&scan, err);
}

static void clear(struct json_member *members, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        members[i] = (struct json_member){.name = members[i].name};
}

int json_members(struct arena *arena, struct text source, struct json_member *members, unsigned count, struct err *err)
{
    struct json_scan scan = json_scan_of(arena, source);
    clear(members, count);
    return read_object(&scan, members, count, false) ? 0 : json_scan_refuse(&scan, err);
}

int json_members_known(struct arena *arena, struct text source, struct json_member *members, unsigned count)
{
    struct json_scan scan = json_scan_of(arena, source);
    clear(members, count);
    return read_object(&scan, members, count, true) ? 0 : -EINVAL;
}

const char *json_member_string(struct arena *arena, struct text source, const char *name)
{
    struct json_member member = {.name = name};
    return json_members_known(arena, source, &member, 1) < 0 ? NULL : member.string;
}
