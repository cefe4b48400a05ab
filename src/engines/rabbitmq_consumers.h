/* What the files of the RabbitMQ adapter's consuming half share: rabbitmq_consumers.c, rabbitmq_consumer.c and rabbitmq_delivery.c. */
#ifndef PURSER_ENGINES_RABBITMQ_CONSUMERS_H
#define PURSER_ENGINES_RABBITMQ_CONSUMERS_H

#include "engines/rabbitmq.h"

#include <pthread.h>

/* A delivery in our hands. */
struct item {
    struct item *next;
    uint64_t tag, epoch;
    struct queue_delivery delivery; /* its texts lie behind */
    char bytes[];
};

enum consumer_state { WANTED, RUNNING, STOPPING, GONE };

struct consumer {
    struct consumer *next;
    struct rabbitmq_consumers *all;
    struct queue_consumer wanted;
    char queue[RABBITMQ_NAME_MAX]; /* what is consumed: the queue, or its dead letters */
    int channel;
    enum consumer_state state; /* under the lock */
    struct item *first, **last; /* under the lock */
    int64_t held;               /* atomic */
    struct wakeup arrived, ended; /* of its fiber; of who waits for its end */
    bool fiber_ended;
};

/* What a fiber has decided, for the thread to send. */
struct decision {
    struct decision *next;
    int channel;
    uint64_t tag, epoch;
    bool multiple, back; /* acknowledge all up to it; or put this one back */
};

struct rabbitmq_consumers {
    struct rabbitmq_link link;
    struct rabbitmq_publisher *publisher;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    int wake; /* eventfd */
    bool stopping;
    struct consumer *list;
    struct decision *first, **last;
    int channels;
    uint64_t epoch;
    bool undecided; /* a decision was lost for want of memory: only a new connection brings its message again; atomic */
};

/* Wakes the thread. From any thread. */
void rabbitmq_consumers_ring(struct rabbitmq_consumers *all);
/* The fiber of one consumer, until it is to stop. `arg`: the consumer. */
FIBER_FN void rabbitmq_consumer_main(void *arg);
/* What the broker delivered, copied; the caller frees it. NULL when memory is short. */
struct item *rabbitmq_delivery_item(const struct consumer *consumer, const amqp_envelope_t *envelope, uint64_t epoch);
/* Frees what no fiber has taken. With the lock held, or with nobody left. */
void rabbitmq_delivery_drop(struct consumer *consumer);

#endif
