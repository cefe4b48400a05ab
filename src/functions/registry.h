/* Which functions there are: the table's rows as the pools know them. */
#ifndef PURSER_FUNCTIONS_REGISTRY_H
#define PURSER_FUNCTIONS_REGISTRY_H

#include "functions/pool.h"
#include "functions/store.h"

/* Puts the shipped functions into the database where they are missing or new, then loads all. */
FIBER_FN int registry_start(struct database *database, struct err *err);
/* Loads again if the table's revision has moved (another instance changed it). */
FIBER_FN int registry_refresh(struct database *database);

/* After a change has committed: the version takes over. Its name NULL and `name` given: it is gone. */
void registry_apply(const char *name, const struct stored_version *version);

/* A version object of a row, with one reference. NULL when memory is short. */
struct version *registry_version_of(const struct stored_version *stored);

#endif
