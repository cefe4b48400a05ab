/*
 * Handled once: a consumer runs each event's effect in one transaction with its row in `inbox`; a second delivery finds the row and is
 * acknowledged. Batches commit at once; a failing batch is redone one by one, so that one bad event stops nobody else.
 */
#ifndef PURSER_MESSAGING_CONSUMER_H
#define PURSER_MESSAGING_CONSUMER_H

#include "engines/database.h"
#include "engines/queue.h"
#include "engines/stream.h"
#include "messaging/event.h"

/* One event of a batch. */
struct event_item {
    const struct event *event;
    const struct queue_message *message;
    void *result; /* of the effect, for `committed`; in the transaction's arena, NULL at first */
};

/* The effects of a batch, inside a transaction (see database.h for what a body may do): all or none, and where one fails each is run
 * again alone. 0; -EBADMSG: it can never be handled (dead letter at once); an engine's outage (-EAGAIN, -ETIMEDOUT, -ENOSPC, -EIO): again,
 * and not counted; other negatives: tried again with back-off, then dead letter. */
typedef int event_effects(struct transaction *tx, void *context, struct event_item *items, unsigned count);

struct event_handler {
    const char *name;        /* the consumer's name in the inbox: "orders.payment-processed" */
    event_effects *effects;
    /* After the commit, on the fiber, for the events that had their effect now (pushes, provider calls). May be NULL. */
    FIBER_FN void (*committed)(void *context, const struct event_item *items, unsigned count);
    void *context;
    /* Orders a batch before it is handled (orders: by the row to lock). May be NULL. */
    const char *(*sort_key)(const struct event *event);
};

/* One queue. Dead letters of it are taken into the service's table dead_letters. */
int consume_queue(struct database *database, struct queue *queue, const char *queue_name, const struct event_handler *handler,
                  struct err *err);
/* The dead letters of a queue whose messages are handled otherwise, into the service's table under that consumer's name. */
int consume_dead_letters(struct database *database, struct queue *queue, const char *queue_name, const char *consumer, struct err *err);
/* Topics by a group. An event that fails `retry_limit` times parks its key: it becomes a dead letter, and later events of its key wait
 * behind it (table parked_events) until it is sent again or dropped. */
int consume_stream(struct database *database, struct stream *stream, const char *group, const char *const *topics,
                   const struct event_handler *handler, struct err *err);

/* Ends what works on that database by itself (retries of parked events) and forgets its consumers: after queue_stop and stream_stop, before
 * database_close. */
FIBER_FN void messaging_stop(struct database *database);

/* Deletes inbox rows older than 8 days and idempotency rows older than 24 h in small batches; called by the skeleton every minute. */
FIBER_FN int messaging_clean(struct database *database);

#endif
