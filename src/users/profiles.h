/* Profiles in the cache (`user:<id>`, the JSON that the API shows), written through, so that showing one needs no database. */
#ifndef PURSER_USERS_PROFILES_H
#define PURSER_USERS_PROFILES_H

#include "users/context.h"
#include "users/store.h"

/* The profile's JSON in the arena. -ENOENT: there is no such user. */
FIBER_FN int profile_get(struct users *users, const char *user_id, struct text *ret_json);
/* Around every change of a user: before the transaction, and after it with the user as it is now (NULL: gone, or nobody knows). */
uint32_t profile_change_begins(const char *user_id);
FIBER_FN void profile_change_ends(struct users *users, const char *user_id, uint32_t begun, const struct user *user);

#endif
