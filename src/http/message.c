/* Requests and answers: headers, query parameters, percent-encoding, and the plain ways to answer. */
#include "http/message.h"

#include <stdlib.h>

struct text http_header(const struct http_headers *headers, const char *name)
{
    struct text wanted = text_of(name);
    for (unsigned i = 0; i < headers->count; i++)
        if (text_equal_nocase(headers->list[i].name, wanted))
            return headers->list[i].value;
    return (struct text){NULL, 0};
}

static void grow(struct arena *arena, struct http_headers *headers)
{
    unsigned room = headers->room ? headers->room * 2 : 8;
    struct http_header *list = arena_alloc(arena, room * sizeof *list);
    if (headers->count)
        memcpy(list, headers->list, headers->count * sizeof *list);
    headers->list = list;
    headers->room = room;
}

void http_header_add(struct arena *arena, struct http_headers *headers, const char *name, const char *value)
{
    if (headers->count == headers->room)
        grow(arena, headers);
    headers->list[headers->count++] = (struct http_header){text_of(name), text_of(value)};
}

void http_header_set(struct arena *arena, struct http_headers *headers, const char *name, const char *value)
{
    struct text wanted = text_of(name);
    for (unsigned i = 0; i < headers->count; i++)
        if (text_equal_nocase(headers->list[i].name, wanted)) {
            headers->list[i].value = text_of(value);
            return;
        }
    http_header_add(arena, headers, name, value);
}

void http_header_remove(struct http_headers *headers, const char *name)
{
    struct text wanted = text_of(name);
    unsigned kept = 0;
    for (unsigned i = 0; i < headers->count; i++)
        if (!text_equal_nocase(headers->list[i].name, wanted))
            headers->list[kept++] = headers->list[i];
    headers->count = kept;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *http_percent_decode(struct arena *arena, struct text coded)
{
    char *out = arena_alloc(arena, coded.size + 1), *at = out;
    for (size_t i = 0; i < coded.size; i++) {
        if (coded.at[i] != '%') {
            *at++ = coded.at[i];
            continue;
        }
        if (i + 2 >= coded.size)
            return NULL;
        int high = hex_value(coded.at[i + 1]), low = hex_value(coded.at[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return NULL;
        *at++ = (char)(high * 16 + low);
        i += 2;
    }
    return text_is_utf8((struct text){out, (size_t)(at - out)}) ? out : NULL;
}

const char *http_query(struct http_request *request, const char *name)
{
    struct text rest = request->query, part, key;
    while (text_split(&rest, '&', &part)) {
        text_split(&part, '=', &key);
        if (!text_equal(key, text_of(name)))
            continue;
        char *value = http_percent_decode(request->arena, part.at ? part : (struct text){"", 0});
        return value ? value : "\x7f"; /* malformed: a value that no parameter allows */
    }
    return NULL;
}

bool http_query_is_clear(const struct http_request *request)
{
    struct text rest = request->query, part, seen[HTTP_PARAMETERS_MAX];
    unsigned count = 0;
    while (text_split(&rest, '&', &part)) {
        struct text name;
        text_split(&part, '=', &name);
        if (!name.size)
            continue;
        for (unsigned i = 0; i < count; i++)
            if (text_equal(seen[i], name))
                return false;
        if (count == HTTP_PARAMETERS_MAX)
            return false;
        seen[count++] = name;
    }
    return true;
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"}, {101, "Switching Protocols"}, {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"},
        {206, "Partial Content"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
        {404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"}, {411, "Length Required"},
        {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
        {422, "Unprocessable Content"}, {426, "Upgrade Required"}, {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
        {503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"},
    };
    for (unsigned i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

void respond_bytes(struct http_response *response, int status, const char *content_type, struct text body)
{
    response->status = status;
    response->body = body;
    http_header_set(response->arena, &response->headers, "Content-Type", content_type);
}

void respond_json(struct http_response *response, int status, const json_t *tree)
{
    struct text body;
    body.at = json_print(response->arena, tree, &body.size);
    respond_bytes(response, status, "application/json", body);
}

void respond_empty(struct http_response *response, int status)
{
    response->status = status;
    response->body = (struct text){NULL, 0};
    http_header_remove(&response->headers, "Content-Type");
}
