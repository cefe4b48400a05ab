/* PostgreSQL's own form of an array: no element needs quotes or escapes. */
#include "engines/database.h"

#include <arpa/inet.h>

#define TYPE_TEXT 25
#define HEAD_SIZE 20

static char *put(char *at, uint32_t number)
{
    number = htonl(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

struct text postgres_text_array(struct arena *arena, const struct text *elements, unsigned count, unsigned stride)
{
    size_t size = HEAD_SIZE;
    bool has_null = false;
    for (unsigned i = 0; i < count; i++) {
        size += sizeof(uint32_t) + elements[i * stride].size;
        has_null |= !elements[i * stride].at;
    }
    char *bytes = arena_alloc(arena, size), *at = put(bytes, 1); /* dimensions */
    at = put(at, has_null);
    at = put(at, TYPE_TEXT);
    at = put(at, count);
    at = put(at, 1); /* the first one's number */
    for (unsigned i = 0; i < count; i++) {
        const struct text *element = &elements[i * stride];
        at = put(at, element->at ? (uint32_t)element->size : UINT32_MAX);
        if (element->size)
            memcpy(at, element->at, element->size);
        at += element->size;
    }
    return (struct text){bytes, size};
}
