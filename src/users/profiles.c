/*
 * The cache must not keep what a change has overtaken. Every change counts a number up before and after its transaction; who has put a profile
 * into the cache looks whether the number is still what it was when he read, and takes the profile out again if not. Between instances,
 * which do not see each other's numbers, the short life of an entry is the bound. Where there may be several and they share no cache, a
 * change by one would not reach the others' at all: nothing is kept then.
 */
#include "users/profiles.h"

#include <errno.h>

#define LIFE_MS 60000
#define NUMBERS 1024u

static uint32_t numbers[NUMBERS];

/* FNV-1a: ids are our own. */
static uint32_t *number_of(const char *user_id)
{
    uint32_t hash = 2166136261u;
    for (; *user_id; user_id++)
        hash = (hash ^ (unsigned char)*user_id) * 16777619u;
    return &numbers[hash % NUMBERS];
}

static uint32_t read_number(const char *user_id)
{
    return __atomic_load_n(number_of(user_id), __ATOMIC_SEQ_CST);
}

static uint32_t count_up(const char *user_id)
{
    return __atomic_add_fetch(number_of(user_id), 1, __ATOMIC_SEQ_CST);
}

static char *key_of(const char *user_id)
{
    return arena_printf(fiber_arena(), "user:%s", user_id);
}

static FIBER_FN void put(struct users *users, const char *user_id, struct text json, uint32_t expected)
{
    if (users->caches_profiles && read_number(user_id) == expected)
        cache_set(users->cache, key_of(user_id), json, LIFE_MS);
    if (read_number(user_id) != expected)
        cache_delete(users->cache, key_of(user_id));
}

FIBER_FN int profile_get(struct users *users, const char *user_id, struct text *ret_json)
{
    struct user user;
    if (cache_get(users->cache, key_of(user_id), fiber_arena(), ret_json) == 0)
        return 0;
    uint32_t before = read_number(user_id);
    int error = users_store_find(users->database, user_id, &user);
    if (error)
        return error;
    ret_json->at = json_print(fiber_arena(), user_json(fiber_arena(), &user), &ret_json->size);
    put(users, user_id, *ret_json, before);
    return 0;
}

uint32_t profile_change_begins(const char *user_id)
{
    return count_up(user_id);
}

FIBER_FN void profile_change_ends(struct users *users, const char *user_id, uint32_t begun, const struct user *user)
{
    struct text json;
    bool alone = count_up(user_id) == begun + 1;
    if (!user || !alone) {
        cache_delete(users->cache, key_of(user_id));
        return;
    }
    json.at = json_print(fiber_arena(), user_json(fiber_arena(), user), &json.size);
    put(users, user_id, json, begun + 1);
}
