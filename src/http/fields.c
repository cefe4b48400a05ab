/* Reading the body of a request field by field, so that everything that is wrong with it is said at once. */
#include "http/problem.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool is_json(struct text content_type)
{
    struct text media;
    text_split(&content_type, ';', &media);
    return text_equal_nocase(text_trim(media), text_of("application/json"));
}

void problem_not_json(struct http_response *response, const struct err *err)
{
    struct problem_errors errors = {.arena = response->arena};
    if (err->code == -EILSEQ) {
        problem_errors_add(&errors, "", "The body cannot be taken: %s.", err->message);
        problem_errors_answer(&errors, response);
    } else {
        problem(response, 400, "malformed", "The body is no valid JSON: %s.", err->message);
    }
}

bool request_json(struct http_request *request, struct http_response *response, bool empty_allowed, json_t **ret_object)
{
    struct err err;
    if (empty_allowed && !request->body.size) {
        *ret_object = json_make(request->arena, "{}");
        return true;
    }
    if (!is_json(http_header(&request->headers, "Content-Type"))) {
        problem(response, 415, "unsupported-media-type", "The body has to be application/json.");
        return false;
    }
    json_t *tree;
    if (json_parse(request->arena, request->body, &tree, &err)) {
        problem_not_json(response, &err);
        return false;
    }
    if (!json_is_object(tree)) {
        struct problem_errors errors = {.arena = request->arena};
        problem_errors_add(&errors, "", "The body has to be an object.");
        return !problem_errors_answer(&errors, response);
    }
    *ret_object = tree;
    return true;
}

struct fields fields_of(json_t *object, const char *base, struct problem_errors *errors)
{
    return (struct fields){.object = object, .base = base, .errors = errors};
}

static char *pointer_to(struct fields *fields, const char *name)
{
    /* RFC 6901: ~ and / inside a name are escaped. */
    struct arena *arena = fields->errors->arena;
    char *out = arena_alloc(arena, strlen(fields->base) + 2 * strlen(name) + 2), *at = out;
    memcpy(at, fields->base, strlen(fields->base));
    at += strlen(fields->base);
    *at++ = '/';
    for (; *name; name++) {
        if (*name == '~' || *name == '/') {
            *at++ = '~';
            *at++ = *name == '~' ? '0' : '1';
        } else {
            *at++ = *name;
        }
    }
    return out;
}

/* The member, or NULL; null counts as absent where it is not required. */
static json_t *take(struct fields *fields, const char *name, bool required)
{
    assert(fields->known_count < sizeof fields->known / sizeof *fields->known);
    fields->known[fields->known_count++] = name;
    json_t *value = json_object_get(fields->object, name);
    if (!value && required)
        problem_errors_add(fields->errors, pointer_to(fields, name), "This field is required.");
    return value;
}

static void refuse(struct fields *fields, const char *name, const char *detail)
{
    problem_errors_add(fields->errors, pointer_to(fields, name), "%s", detail);
}

/* Code points, or -1 with a control character other than the plain spaces of a text. */
static long characters(const char *string, size_t size)
{
    long count = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)string[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return -1;
        count += (c & 0xc0) != 0x80;
    }
    return count;
}

const char *field_string(struct fields *fields, const char *name, bool required, size_t min, size_t max)
{
    json_t *value = take(fields, name, required);
    if (!value)
        return NULL;
    if (!json_is_string(value)) {
        refuse(fields, name, "This has to be a text.");
        return NULL;
    }
    long length = characters(json_string_value(value), json_string_length(value));
    if (length >= 0 && (size_t)length >= min && (size_t)length <= max)
        return json_string_value(value);
    if (length < 0)
        refuse(fields, name, "Control characters are not allowed.");
    else
        problem_errors_add(fields->errors, pointer_to(fields, name), "This has to have %zu to %zu characters.", min, max);
    return NULL;
}

int64_t field_integer(struct fields *fields, const char *name, bool required, int64_t min, int64_t max, bool *ret_present)
{
    json_t *value = take(fields, name, required);
    if (ret_present)
        *ret_present = false;
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max) {
        problem_errors_add(fields->errors, pointer_to(fields, name), "This has to be a whole number from %" PRId64 " to %" PRId64 ".",
                           min, max);
        return 0;
    }
    if (ret_present)
        *ret_present = true;
    return json_integer_value(value);
}

json_t *field_array(struct fields *fields, const char *name, bool required, size_t min, size_t max)
{
    json_t *value = take(fields, name, required);
    if (!value)
        return NULL;
    if (!json_is_array(value)) {
        refuse(fields, name, "This has to be a list.");
        return NULL;
    }
    if (json_array_size(value) >= min && json_array_size(value) <= max)
        return value;
    problem_errors_add(fields->errors, pointer_to(fields, name), "This has to have %zu to %zu entries.", min, max);
    return NULL;
}

json_t *field_object(struct fields *fields, const char *name, bool required)
{
    json_t *value = take(fields, name, required);
    if (!value || json_is_object(value))
        return value;
    refuse(fields, name, "This has to be an object.");
    return NULL;
}

json_t *field_any(struct fields *fields, const char *name)
{
    return take(fields, name, false);
}

void fields_done(struct fields *fields)
{
    const char *key;
    json_t *value;
    json_object_foreach(fields->object, key, value) {
        bool known = false;
        for (unsigned i = 0; i < fields->known_count; i++)
            known |= strcmp(fields->known[i], key) == 0;
        if (!known)
            refuse(fields, key, "This field is not known.");
    }
}
