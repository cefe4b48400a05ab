/* One version of a function, as its processes need it. */
#ifndef PURSER_FUNCTIONS_VERSION_H
#define PURSER_FUNCTIONS_VERSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Immutable but for the count. */
struct version {
    atomic_uint users;
    char id[37]; /* of this version of this function, never used again */
    int64_t number;
    int64_t timeout_ms, memory_mb, concurrency;
    bool reuse;
    char access[8];
    char *settings; /* JSON */
};

struct version *version_ref(struct version *version);
void version_unref(struct version *version); /* NULL is fine */
/* NULL is the same as nothing. */
bool version_is_same(const struct version *a, const struct version *b);
/* Private memory beyond which its processes are killed. */
int64_t version_memory_kb(const struct version *version);

#endif
