/* The parts of this process's memory that may be written to, but for its stack. */
#ifndef PURSER_FUNCTION_HOST_REGIONS_H
#define PURSER_FUNCTION_HOST_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region {
    uintptr_t start, end;
    bool anonymous;
    bool code; /* may be executed: a sealed worker cannot change its protection, so what is there is always copied back */
    bool heap; /* of the C library, which grows at its end */
};

/* Reads what the kernel tells of them. False: there are more than there is room for, or it does not tell. */
bool regions_survey(int proc_fd);

/* False: there is no room. */
bool regions_add(struct region region);

/* False: none is just there. */
bool regions_remove(uintptr_t start, uintptr_t end);

/* NULL: there are no more than i. */
struct region *regions_at(size_t i);

/* One that has a part of it. NULL: none. */
const struct region *regions_find(uintptr_t start, uintptr_t end);

#endif
