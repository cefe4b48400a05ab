/* What an adapter of the queue port provides. Only for the adapters and queue.c. */
#ifndef PURSER_ENGINES_QUEUE_OPS_H
#define PURSER_ENGINES_QUEUE_OPS_H

#include "engines/queue.h"

struct queue_ops {
    const char *scheme;
    int (*open)(struct queue **ret_queue, struct err *err);
    FIBER_FN void (*close)(struct queue *queue);
    bool (*is_up)(const struct queue *queue);
    FIBER_FN int (*publish)(struct queue *queue, const struct queue_message *messages, unsigned count);
    int (*consume)(struct queue *queue, const struct queue_consumer *consumer, struct err *err);
    FIBER_FN void (*stop)(struct queue *queue);
    FIBER_FN int (*depths)(struct queue *queue, struct arena *arena, json_t **ret_list);
};

struct queue {
    const struct queue_ops *ops;
};

extern const struct queue_ops embedded_queue_ops, rabbitmq_queue_ops;

/* What becomes of a delivery after its handler: RETRY turns into DEAD at the last attempt (dead letters are tried for ever). */
enum queue_verdict queue_outcome(const struct queue_consumer *consumer, const struct queue_delivery *delivery);

#endif
