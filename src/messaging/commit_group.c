/*
 * Whoever comes while nothing is being written starts the writer, a fiber that goes on until nobody waits; who comes meanwhile is in its
 * next batch. So one alone waits for nothing, and many share their commits. Everything of a share happens on one worker, but for the
 * transaction's body, which reads items on their waiting fibers' stacks.
 */
#include "messaging/commit_group.h"

#include "engines/wakeup.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH_MAX 128

/* One that waits, on the stack of its fiber. */
struct member {
    void *item;
    struct fiber *fiber;
    struct member *next;
    int code;
    bool done;
};

/* Of one worker. */
struct share {
    struct commit_group *group;
    struct member *first, **last; /* not taken yet */
    bool writing;
    /* What is being written. */
    struct member *batch[BATCH_MAX];
    void *items[BATCH_MAX];
    unsigned count;
};

struct commit_group {
    struct database *database;
    commit_group_body *body;
    struct share *shares[WORKER_MAX]; /* each made by its worker */
};

struct commit_group *commit_group_new(struct database *database, commit_group_body *body)
{
    struct commit_group *group = calloc(1, sizeof *group);
    if (!group)
        return NULL;
    group->database = database;
    group->body = body;
    return group;
}

void commit_group_free(struct commit_group *group)
{
    for (unsigned i = 0; group && i < WORKER_MAX; i++)
        free(group->shares[i]);
    free(group);
}

static struct share *share_of(struct commit_group *group)
{
    struct share **share = &group->shares[worker_index(worker_self())];
    if (!*share && (*share = calloc(1, sizeof **share))) {
        (*share)->group = group;
        (*share)->last = &(*share)->first;
    }
    return *share;
}

struct part {
    commit_group_body *body;
    void *const *items;
    unsigned count;
};

static int do_part(struct transaction *tx, void *arg)
{
    const struct part *part = arg;
    return part->body(tx, part->items, part->count);
}

/* Says nothing about a single item: the database is away, or full. */
static bool is_outage(int code)
{
    return code == -EAGAIN || code == -ETIMEDOUT || code == -ENOSPC || code == -EIO || code == -ENOMEM;
}

/* What fails is done again in halves, until the one that fails is alone. */
static FIBER_FN void write_part(struct share *share, unsigned first, unsigned count)
{
    struct part part = {share->group->body, share->items + first, count};
    int code = database_transact(share->group->database, do_part, &part);
    if (code < 0 && !is_outage(code) && count > 1) {
        write_part(share, first, count / 2);
        write_part(share, first + count / 2, count - count / 2);
        return;
    }
    for (unsigned i = first; i < first + count; i++)
        share->batch[i]->code = code;
}

static FIBER_FN void write_batch(void *arg)
{
    struct share *share = arg;
    write_part(share, 0, share->count);
}

static void take_batch(struct share *share)
{
    for (share->count = 0; share->first && share->count < BATCH_MAX; share->count++) {
        struct member *member = share->first;
        share->first = member->next;
        share->batch[share->count] = member;
        share->items[share->count] = member->item;
    }
    if (!share->first)
        share->last = &share->first;
}

static void tell_batch(struct share *share)
{
    for (unsigned i = 0; i < share->count; i++) {
        share->batch[i]->done = true;
        fiber_wake(share->batch[i]->fiber);
    }
}

static FIBER_FN void write_all(void *arg)
{
    struct share *share = arg;
    fiber_yield(); /* those that come in the same turn of the loop are of the first batch */
    while (share->first) {
        take_batch(share);
        fiber_run_apart("commit group's batch", write_batch, share);
        tell_batch(share);
    }
    share->writing = false;
}

/* While nothing is being written nobody else waits. */
static int start_writing(struct share *share)
{
    share->writing = true;
    int code = fiber_start("commit group", write_all, share);
    if (code < 0) {
        share->writing = false;
        share->first = NULL;
        share->last = &share->first;
    }
    return code;
}

FIBER_FN int commit_group_run(struct commit_group *group, void *item)
{
    struct share *share = share_of(group);
    struct member member = {.item = item, .fiber = fiber_self(), .code = -ENOMEM};
    if (!share)
        return -ENOMEM;
    if (share->writing && !database_is_up(share->group->database))
        return -EAGAIN; /* what is being written may wait long to learn its outcome */
    *share->last = &member;
    share->last = &member.next;
    if (!share->writing && start_writing(share) < 0)
        return -ENOMEM;
    while (!member.done)
        fiber_wait_uninterrupted();
    return member.code;
}
