/*
 * The queue port: durable work, one worker each message. At least once: a message is there until its handler said ACK after its
 * effect was committed. No order. Publishing is confirmed: 0 means that it survives a crash of the engine.
 * Adapters: embedded (SQLite file queue.db), RabbitMQ (quorum queues, confirms, retry ladder by TTL, <queue>.dead).
 */
#ifndef PURSER_ENGINES_QUEUE_H
#define PURSER_ENGINES_QUEUE_H

#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/fiber.h"

#include <stdbool.h>
#include <stdint.h>

struct queue;

struct queue_message {
    const char *queue;          /* where to */
    const char *id;             /* message id (the event's) */
    const char *correlation_id; /* or NULL */
    const char *reply_to;       /* or NULL */
    const char *traceparent;    /* or NULL */
    struct text body;
};

/* RETRY: it failed; counted, and again after a pause. ACK: done. DEAD: it can never be handled. AGAIN: what it needs is away; not counted,
 * and again after the first pause. */
enum queue_verdict { QUEUE_RETRY, QUEUE_ACK, QUEUE_DEAD, QUEUE_AGAIN };

struct queue_delivery {
    struct queue_message message;
    unsigned attempt;          /* 1 the first time; of a dead letter: how many were made */
    enum queue_verdict verdict; /* set by the handler; RETRY unless it says otherwise */
    char error[200];           /* why, for RETRY and DEAD; in a dead letter: the last one's */
};

struct queue_consumer {
    const char *queue;
    unsigned batch_max; /* at most so many in one call */
    unsigned prefetch;
    bool dead_letters; /* consume <queue>.dead instead */
    /* On a fiber of one worker, one call at a time per consumer. */
    FIBER_FN void (*handle)(void *context, struct queue_delivery *batch, unsigned count);
    void *context;
};

/* By the setting queue_url. On worker 0 at start. */
int queue_open(struct queue **ret_queue, struct err *err);
/* Stops consumers (those at work finish), then closes. On a fiber. */
FIBER_FN void queue_close(struct queue *queue);
bool queue_is_up(const struct queue *queue);

/* All of them confirmed, or negative (some may have arrived: receivers recognise repeats by id). -EAGAIN when the engine is away. */
FIBER_FN int queue_publish(struct queue *queue, const struct queue_message *messages, unsigned count);
/* Starts a consumer on the calling worker; reconnects by itself for ever. The struct is copied. After `retry_limit` attempts (or
 * DEAD) the message goes to <queue>.dead. Pauses between attempts: retry_base, doubling, at most 5 min. */
int queue_consume(struct queue *queue, const struct queue_consumer *consumer, struct err *err);
/* Stops all consumers; returns when their handlers have ended. */
FIBER_FN void queue_stop(struct queue *queue);

/* The pause after that many attempts: retry_base, doubling, at most 5 min. */
#define QUEUE_PAUSE_MAX_MS (5 * 60 * 1000)
int64_t queue_pause_ms(unsigned attempts);

/* Depths for the operations page: [{name, ready, unacknowledged, retrying, dead}] in the arena, or negative. */
FIBER_FN int queue_depths(struct queue *queue, struct arena *arena, json_t **ret_list);

#endif
