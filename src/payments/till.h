/*
 * Charges that have ended are written down together: each waits on its own fiber while the ends that have gathered are settled in one
 * transaction. A batch that fails is settled one by one, so that each charge has an outcome of its own.
 */
#ifndef PURSER_PAYMENTS_TILL_H
#define PURSER_PAYMENTS_TILL_H

#include "payments/settle.h"

struct till;

/* On the worker whose fibers use it. NULL when short of memory. */
struct till *till_new(struct database *database);
/* NULL is fine. Nobody may be waiting in it any more. */
void till_free(struct till *till);

/* Returns when the end is durable (0) or was not written (negative, as of database_transact): the payment is as it was then, and is asked
 * for again when it is due. Waits even when cancelled. */
FIBER_FN int till_settle(struct till *till, const struct charge_end *end);

#endif
