/* How far one consumer group is behind: a fiber asks, the group's thread looks it up between two polls. */
#ifndef PURSER_ENGINES_KAFKA_LAGS_H
#define PURSER_ENGINES_KAFKA_LAGS_H

#include "engines/kafka.h"

#include <pthread.h>

struct kafka_lag {
    int64_t lag, end;
};

struct kafka_lags {
    /* Set by the owner before kafka_lags_init, with the rest zero; the texts live as long. */
    struct kafka_producer *producer;
    const char *group, *const *topics;
    unsigned topic_count;
    /* Under the lock. */
    pthread_mutex_t lock;
    bool wanted, closed;
    int result;
    struct kafka_lag of[STREAM_TOPICS_MAX];
    struct wakeup *asker; /* NULL when nobody waits any more */
};

void kafka_lags_init(struct kafka_lags *lags);
void kafka_lags_fini(struct kafka_lags *lags);
/* Appends {topic, group, lag, end} for each topic. 0; -EAGAIN: no answer in time, another asks, or the group is closed. */
FIBER_FN int kafka_lags_ask(struct kafka_lags *lags, struct arena *arena, json_t *list);
/* On the group's thread, often: answers who asks, by questions to the brokers that block for a bounded time. */
void kafka_lags_answer(struct kafka_lags *lags, rd_kafka_t *kafka);
/* On the group's thread, last: who asks is refused from now on. */
void kafka_lags_close(struct kafka_lags *lags);

#endif
