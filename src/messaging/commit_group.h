/*
 * Work of many fibers in one transaction: each waits on its own fiber while what has gathered is done together, in one commit. A batch that
 * fails is done again in halves, so that each has an outcome of its own. Who comes alone waits for nobody.
 */
#ifndef PURSER_MESSAGING_COMMIT_GROUP_H
#define PURSER_MESSAGING_COMMIT_GROUP_H

#include "engines/database.h"

struct commit_group;

/* Does all of them, as a transaction's body (see database.h); it may run again. What waits on the items' fibers may be written to. */
typedef int commit_group_body(struct transaction *tx, void *const *items, unsigned count);

/* NULL when short of memory. */
struct commit_group *commit_group_new(struct database *database, commit_group_body *body);
/* NULL is fine. Nobody may be waiting in it any more. */
void commit_group_free(struct commit_group *group);

/* Returns when the item's work is durable (0) or was not done (negative, as of database_transact). Those of one worker gather. Waits even
 * when cancelled. */
FIBER_FN int commit_group_run(struct commit_group *group, void *item);

#endif
