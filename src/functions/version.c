/* Versions are counted: the registry holds the one that answers, each process the one it was loaded with. */
#include "functions/version.h"

#include <stdlib.h>
#include <string.h>

/* What a process needs for itself, beside what its function takes. */
#define ENGINE_KB (8 * 1024)

struct version *version_ref(struct version *version)
{
    if (version)
        atomic_fetch_add(&version->users, 1);
    return version;
}

void version_unref(struct version *version)
{
    if (!version || atomic_fetch_sub(&version->users, 1) != 1)
        return;
    free(version->settings);
    free(version);
}

bool version_is_same(const struct version *a, const struct version *b)
{
    return a && b && strcmp(a->id, b->id) == 0;
}

int64_t version_memory_kb(const struct version *version)
{
    return version->memory_mb * 1024 + ENGINE_KB;
}
