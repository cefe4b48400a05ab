/* What the user service's handlers stand on. */
#ifndef PURSER_USERS_CONTEXT_H
#define PURSER_USERS_CONTEXT_H

#include "runtime/worker.h"
#include "service/service.h"
#include "users/keys.h"

struct users {
    struct database *database;
    struct cache *cache;
    bool caches_profiles;
    const char *secret;
    struct key_ring *keys;
    struct timer clock; /* worker 0 */
    bool at_work;
};

#endif
