/* The heap calls of this tree's own structures, with a switch that tests use to let the n-th of them fail. */
#ifndef PURSER_BASE_MEMORY_H
#define PURSER_BASE_MEMORY_H

#include <stddef.h>

/* As malloc, calloc(1, size) and realloc: NULL when memory is short. Freed by free(). */
void *memory_get(size_t size);
void *memory_get_zeroed(size_t size);
void *memory_grow(void *at, size_t size);

/* For tests: the n-th call from now fails and so do all after it; 0 ends that. This thread's calls alone. */
void memory_fail_from(long n);

#endif
