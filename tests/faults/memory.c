/*
 * Linked into sanitized executables with --wrap: the heap is the sanitizer's, so their own calls for memory come by here, where
 * tests/faults' preloaded library may let one fail. Without that library they go straight on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

extern void *__real_malloc(size_t size);
extern void *__real_calloc(size_t count, size_t size);
extern void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

static bool (*fault)(const void *caller);

__attribute__((constructor)) static void find_fault(void)
{
    *(void **)&fault = dlsym(RTLD_DEFAULT, "purser_fault_memory");
}

static bool fails(const void *caller)
{
    if (!fault || !fault(caller))
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_realloc(at, size);
}
