/* Heads of requests and answers: parsed at once and in two pieces with the same result, and every slice lies within the bytes. */
#include "http/parser.h"

#include <assert.h>
#include <stdlib.h>

static void check_inside(struct text slice, const char *bytes, size_t size)
{
    if (slice.size)
        assert(slice.at >= bytes && slice.at + slice.size <= bytes + size);
}

static void check_head(const struct http_head *head, const char *bytes, size_t size)
{
    assert(head->count <= HTTP_HEADERS_MAX);
    for (unsigned i = 0; i < head->count; i++) {
        check_inside(head->headers[i].name, bytes, size);
        check_inside(head->headers[i].value, bytes, size);
        assert(head->headers[i].name.size && http_field_is_clean(head->headers[i].value));
    }
    check_inside(head->target, bytes, size);
    check_inside(head->query, bytes, size);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct http_head head;
    const char *why = NULL;
    size_t scanned = 0, again = 0;
    char *bytes = malloc(size + 1); /* exactly as large, so that reading behind it is seen */
    memcpy(bytes, data, size);
    long whole = http_head_find((struct text){bytes, size}, &scanned);
    for (size_t have = 0; have < size; have += 1 + size / 7) {
        long part = http_head_find((struct text){bytes, have}, &again);
        if (part) {
            assert(part == whole);
            break;
        }
    }
    if (whole > 0) {
        if (http_request_parse((struct text){bytes, (size_t)whole}, &head, &why) == 0)
            check_head(&head, bytes, (size_t)whole);
        else
            assert(why);
        if (http_response_parse((struct text){bytes, (size_t)whole}, size & 1, &head) == 0)
            check_head(&head, bytes, (size_t)whole);
    }
    free(bytes);
    return 0;
}
