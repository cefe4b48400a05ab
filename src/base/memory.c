/*
 * Heap calls with a countdown for tests. Not an allocator: the C library's is used as it is, only that small blocks given back in crowds, of which
 * its own list for a thread keeps seven of a size, wait here for the next crowd.
 */
#include "base/memory.h"

#include <malloc.h>
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

/* ---- what is kept ---- */

#define HEAP_KEPT (2 << 20)

void memory_keep_heap(void)
{
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT); /* from then on the C library maps what is larger than 128 KB, and keeps none of that */
}

#define SIZES 17 /* the last holds 264 bytes */
#define KEPT_MAX 1024

struct kept {
    struct kept *next;
};

static _Thread_local struct kept *kept[SIZES];
static _Thread_local unsigned kept_count[SIZES];

/* Blocks of size n hold at least n * 16 + 8 bytes, as the C library's do. */
void *memory_take(size_t size)
{
    size_t n = size <= 24 ? 1 : (size + 7) / 16; /* 24 bytes are the least that there is */
    if (n >= SIZES || !kept[n])
        return memory_get(size);
    if (!allowed())
        return NULL;
    struct kept *block = kept[n];
    kept[n] = block->next;
    kept_count[n]--;
    return block;
}

void memory_give(void *at)
{
    size_t room = at && MEMORY_KEEPS ? malloc_usable_size(at) : 0, n = room < 8 ? SIZES : (room - 8) / 16;
    if (n >= SIZES || kept_count[n] == KEPT_MAX) {
        free(at);
        return;
    }
    struct kept *block = at;
    block->next = kept[n];
    kept[n] = block;
    kept_count[n]++;
}
