/* Which functions there are: the table's rows as the pools know them. */
#ifndef PURSER_FUNCTIONS_REGISTRY_H
#define PURSER_FUNCTIONS_REGISTRY_H

#include "functions/pool.h"
#include "functions/store.h"

/* Puts the shipped functions into the database where they are missing or new, then loads all. */
FIBER_FN int registry_start(struct database *database, struct err *err);
/* Loads again if the table's revision has moved. 0 or negative: what could not be told is asked for again by the next. */
FIBER_FN int registry_refresh(struct database *database);

/* After a change has committed at `revision`: the version takes over (NULL: the function is gone). Takes the reference over. News of several
 * changes may come in any order: what is older than what is known changes nothing. When memory is short nothing takes over yet: that is what
 * registry_changes is for. */
void registry_note(const char *name, struct version *version, int64_t revision);
/* registry_note of a row; its name NULL and `name` given: it is gone. */
void registry_note_row(const char *name, const struct stored_version *row);

/* Counts the changes that were made here: a refresh that begins after it was read covers them all. */
unsigned registry_changes(void);

/* A version object of a row, with one reference. NULL when memory is short. */
struct version *registry_version_of(const struct stored_version *stored);

#endif
