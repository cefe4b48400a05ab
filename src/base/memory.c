/* Heap calls with a countdown for tests. Not an allocator: the C library's is used as it is. */
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>

static _Thread_local long fail_from;

static bool allowed(void)
{
    if (!fail_from)
        return true;
    if (fail_from == 1)
        return false;
    fail_from--;
    return true;
}

void memory_fail_from(long n)
{
    fail_from = n;
}

void *memory_get(size_t size)
{
    return allowed() ? malloc(size) : NULL;
}

void *memory_get_zeroed(size_t size)
{
    return allowed() ? calloc(1, size) : NULL;
}

void *memory_grow(void *at, size_t size)
{
    return allowed() ? realloc(at, size) : NULL;
}
