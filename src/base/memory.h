/* The heap calls of this tree's own structures, with a switch that tests use to let the n-th of them fail. */
#ifndef PURSER_BASE_MEMORY_H
#define PURSER_BASE_MEMORY_H

#include <stddef.h>

/* As malloc, calloc(1, size) and realloc: NULL when memory is short. Freed by free(). */
void *memory_get(size_t size);
void *memory_get_zeroed(size_t size);
void *memory_grow(void *at, size_t size);

/* At the start of a process that works in batches: the heap keeps what one batch gives back for the next, instead of handing the pages to the system
 * and having them zeroed again. Some 2 MB at most. */
void memory_keep_heap(void);

/* Whether a thread keeps what it may need again: not under a sanitizer, which shall see each use after the end. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_KEEPS 0
#endif
#endif
#ifndef MEMORY_KEEPS
#define MEMORY_KEEPS 1
#endif

/* As memory_get and free, for small things that come and go in crowds, as a tree's nodes do: a thread keeps some of those given back. Any
 * thread may give back, and free() may, too. */
void *memory_take(size_t size);
void memory_give(void *at);

/* For tests: the n-th call from now fails and so do all after it; 0 ends that. This thread's calls alone. */
void memory_fail_from(long n);

#endif
