/* Chunked bodies: at once and byte by byte give the same, and no more than the limit. */
#include "http/parser.h"

#include <assert.h>
#include <stdlib.h>

#define BODY_MAX 10000

static int decode(const char *bytes, size_t size, size_t step, struct buffer *out, size_t *ret_used)
{
    struct http_chunks chunks = {0};
    size_t at = 0;
    int result = 0;
    while (at < size && !result) {
        size_t used, there = size - at < step ? size - at : step;
        result = http_chunks_feed(&chunks, (struct text){bytes + at, there}, out, BODY_MAX, &used);
        assert(used <= there && out->size <= BODY_MAX);
        at += used;
    }
    *ret_used = at;
    return result;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct buffer whole = {0}, single = {0};
    size_t used, used_single;
    int result = decode((const char *)data, size, SIZE_MAX, &whole, &used);
    int result_single = decode((const char *)data, size, 1, &single, &used_single);
    assert(result == result_single && whole.size == single.size);
    assert(result != 1 || used == used_single);
    assert(!whole.size || memcmp(whole.at, single.at, whole.size) == 0);
    buffer_fini(&whole);
    buffer_fini(&single);
    return 0;
}
