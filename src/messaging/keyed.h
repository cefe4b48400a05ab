/* A request that changes something: its effect and its answer in one transaction, under its Idempotency-Key where it has one. */
#ifndef PURSER_MESSAGING_KEYED_H
#define PURSER_MESSAGING_KEYED_H

#include "engines/database.h"
#include "http/message.h"

/* Makes the change and the answer, inside the transaction (see database.h for what a body may do; `answer` is a fresh one at each run).
 * 0 commits, whatever the answer's status: who refuses has changed nothing. Negative rolls back and is answered by its code. */
typedef int keyed_effect(struct transaction *tx, void *arg, struct http_response *answer);

/* Runs it, or repeats the stored answer of the same key, and leaves an answer in `response`. Answers of 401, 429 and 5xx are not stored.
 * `doing` names the action in the log of a failure. True if the effect was committed now by this request. */
FIBER_FN bool keyed_transact(struct database *database, struct http_request *request, struct http_response *response,
                             keyed_effect *effect, void *arg, const char *doing);

/* Effects of one kind, many of which share a commit (see commit_group.h). */
struct keyed_group;

/* Asks (sql_ask) for what the effects of all `args` need, so that it comes with their keys in one round trip. It may run again. */
typedef void keyed_prepare(struct transaction *tx, void *const *args, unsigned count);

/* NULL when short of memory. */
struct keyed_group *keyed_group_new(struct database *database, keyed_prepare *prepare, keyed_effect *effect);
/* NULL is fine. Nobody may be waiting in it any more. */
void keyed_group_free(struct keyed_group *group);
/* As keyed_transact. An effect of the group is given `arg` and may write to it; what it answers with has to be of the answer's arena, since the
 * transaction's goes with the group's commit. */
FIBER_FN bool keyed_group_transact(struct keyed_group *group, struct http_request *request, struct http_response *response, void *arg,
                                   const char *doing);

/* Whether the request is a repeat whose answer is stored; false too where that cannot be told. */
FIBER_FN bool keyed_is_answered(struct database *database, struct http_request *request);

#endif
