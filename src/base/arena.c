/*
 * Arenas: a chain of blocks that grows at its head, and a list of deferred calls that lives in the blocks. Not thread-safe: an arena
 * belongs to one fiber. A few blocks of each size are kept by each thread, since every request takes some (see MEMORY_KEEPS).
 */
#include "base/arena.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 4096
#define SIZES 5 /* each twice the one before */
#define BLOCK_SIZE_MAX (BLOCK_SIZE << (SIZES - 1))
#define SPARE_FIRST_MAX 64
#define SPARE_MAX 4 /* of each larger size */

struct block {
    struct block *older;
    size_t size; /* of `bytes` */
    alignas(max_align_t) char bytes[];
};

struct deferred {
    struct deferred *earlier;
    void (*run)(void *arg);
    void *arg;
};

struct arena {
    struct block *newest;
    size_t used; /* of newest */
    struct deferred *deferred;
};

_Thread_local jmp_buf *memory_rescue;
static _Thread_local struct spare {
    struct block *newest;
    unsigned count;
} spares[SIZES];

void memory_short(void)
{
    if (!memory_rescue)
        log_fatal("out of memory", NULL);
    _longjmp(*memory_rescue, 1);
}

static size_t round_up(size_t size)
{
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* NULL for a block that is larger than all. */
static struct spare *spare_of(size_t size)
{
    unsigned i = 0;
    while (i < SIZES && size > (size_t)BLOCK_SIZE << i)
        i++;
    return i < SIZES ? &spares[i] : NULL;
}

/* Of that size, or the next one that is kept. */
static struct block *block_new(size_t size)
{
    struct spare *spare = spare_of(size);
    struct block *block = spare ? spare->newest : NULL;
    if (block) {
        spare->newest = block->older;
        spare->count--;
    } else {
        if (size > SIZE_MAX - sizeof *block)
            return NULL;
        size = spare ? (size_t)BLOCK_SIZE << (spare - spares) : size;
        block = memory_get(sizeof *block + size);
        if (!block)
            return NULL;
        block->size = size;
    }
    block->older = NULL;
    return block;
}

static void block_free(struct block *block)
{
    struct spare *spare = MEMORY_KEEPS ? spare_of(block->size) : NULL;
    if (spare && spare->count < (spare == spares ? SPARE_FIRST_MAX : SPARE_MAX)) {
        block->older = spare->newest;
        spare->newest = block;
        spare->count++;
        return;
    }
    free(block);
}

/* The arena itself lies at the start of its first block. */
struct arena *arena_new(void)
{
    struct block *block = block_new(BLOCK_SIZE);
    if (!block)
        return NULL;
    struct arena *arena = (struct arena *)block->bytes;
    *arena = (struct arena){.newest = block, .used = round_up(sizeof *arena)};
    return arena;
}

/* A deferred call may still allocate and defer. */
static void run_deferred(struct arena *arena)
{
    while (arena->deferred) {
        struct deferred *last = arena->deferred;
        arena->deferred = last->earlier;
        last->run(last->arg);
    }
}

void arena_reset(struct arena *arena)
{
    run_deferred(arena);
    while (arena->newest->older) {
        struct block *older = arena->newest->older;
        block_free(arena->newest);
        arena->newest = older;
    }
    arena->used = round_up(sizeof *arena);
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    arena_reset(arena);
    block_free(arena->newest);
}

/* NULL when memory is short. Sizes double, so that a large answer takes few blocks. */
static void *take(struct arena *arena, size_t size)
{
    size_t rounded = round_up(size);
    if (rounded < size)
        return NULL;
    if (arena->newest->size - arena->used < rounded) {
        size_t next = arena->newest->size * 2 > BLOCK_SIZE_MAX ? BLOCK_SIZE_MAX : arena->newest->size * 2;
        struct block *block = block_new(rounded > next ? rounded : next);
        if (!block)
            return NULL;
        block->older = arena->newest;
        arena->newest = block;
        arena->used = 0;
    }
    void *at = arena->newest->bytes + arena->used;
    arena->used += rounded;
    return at;
}

static void *take_or_end(struct arena *arena, size_t size)
{
    void *at = take(arena, size);
    if (!at)
        memory_short();
    return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(take_or_end(arena, size), 0, size);
}

char *arena_copy(struct arena *arena, const void *at, size_t size)
{
    if (size == SIZE_MAX)
        memory_short();
    char *copy = take_or_end(arena, size + 1);
    if (size)
        memcpy(copy, at, size);
    copy[size] = 0;
    return copy;
}

char *arena_strdup(struct arena *arena, const char *string)
{
    return string ? arena_copy(arena, string, strlen(string)) : NULL;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    char small[1024]; /* an order's JSON, which is not formatted twice then */
    int size = vsnprintf(small, sizeof small, format, arguments);
    char *text;
    if (size >= 0 && (size_t)size < sizeof small) {
        text = arena_copy(arena, small, (size_t)size);
    } else {
        text = take_or_end(arena, size < 0 ? 1 : (size_t)size + 1);
        *text = 0;
        if (size > 0)
            vsnprintf(text, (size_t)size + 1, format, again);
    }
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

void arena_defer(struct arena *arena, void (*run)(void *arg), void *arg)
{
    struct deferred *deferred = take(arena, sizeof *deferred);
    if (!deferred) {
        run(arg); /* nobody else would give it back */
        memory_short();
    }
    *deferred = (struct deferred){.earlier = arena->deferred, .run = run, .arg = arg};
    arena->deferred = deferred;
}
