/* JSON bodies: what is accepted prints, parses again, and is the same. */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct err err;
    json_t *tree, *again;
    if (!arena)
        return 0;
    if (json_parse(arena, (struct text){(const char *)data, size}, &tree, &err) == 0) {
        size_t printed_size;
        char *printed = json_print(arena, tree, &printed_size);
        if (json_parse(arena, (struct text){printed, printed_size}, &again, &err) || !json_equal(tree, again))
            abort();
    }
    arena_free(arena);
    return 0;
}
