/*
 * The transactional outbox: events are rows of the transaction that made them; a relay sends them. A (destination kind, lane) has
 * one relay at a time, which sends its lowest rows as one batch, deletes them when all are confirmed, then goes on; so nothing is
 * skipped and a user's events keep their order. Each service's schema includes messaging/schema's tables.
 */
#ifndef PURSER_MESSAGING_OUTBOX_H
#define PURSER_MESSAGING_OUTBOX_H

#include "engines/database.h"
#include "engines/queue.h"
#include "engines/stream.h"
#include "messaging/event.h"

enum outbox_kind { OUTBOX_QUEUE, OUTBOX_STREAM };

struct outbox_entry {
    enum outbox_kind kind;
    const char *destination;    /* queue or topic */
    const char *key;            /* user id: lane, and key of the topic */
    const char *correlation_id; /* queues, or NULL */
    const char *reply_to;       /* queues, or NULL */
    struct event event;
};

/* Inside a body, after the aggregate's row is locked. Wakes the relay after the commit. */
int outbox_add(struct transaction *tx, struct outbox_entry *entry);

/* A queue's message that exists already (a dead letter that is sent again). */
int outbox_add_again(struct transaction *tx, const char *queue, const char *event_id, const char *correlation_id, const char *reply_to,
                     const char *traceparent, struct text body);

/* A message that another engine held when an installation moved. It goes out before every other row; `number` (1 …) says in which order. */
struct outbox_moved {
    enum outbox_kind kind;
    int64_t number;
    const char *destination, *key, *event_id, *correlation_id, *reply_to, *traceparent, *body;
};
int outbox_add_moved(struct transaction *tx, const struct outbox_moved *message);

struct outbox_relay;
/* Starts relays for this database on the calling worker: woken after commits, polling every 250 ms. */
int outbox_relay_start(struct database *database, const char *service, struct queue *queue, struct stream *stream,
                       struct outbox_relay **ret_relay);
/* Sends what is there while engines are up (bounded by the fiber's deadline), then stops. */
FIBER_FN void outbox_relay_stop(struct outbox_relay *relay);
/* Rows that wait, and the oldest one's age. */
FIBER_FN int outbox_backlog(struct database *database, int64_t *ret_rows, int64_t *ret_oldest_ms);

#endif
