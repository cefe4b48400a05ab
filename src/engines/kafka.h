/* What the parts of the Kafka adapter share. librdkafka has threads of its own; each part has one more that polls it. */
#ifndef PURSER_ENGINES_KAFKA_H
#define PURSER_ENGINES_KAFKA_H

#include "engines/stream_ops.h"
#include "engines/wakeup.h"

#include <librdkafka/rdkafka.h>

/* Settings that every instance has; NULL and words in `why` where librdkafka refuses. */
rd_kafka_conf_t *kafka_conf_new(const char *brokers, char *why, size_t why_size);
void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);

struct kafka_producer;
struct kafka_producer *kafka_producer_new(const char *brokers);
/* What is under way is waited for, some seconds at most. */
void kafka_producer_free(struct kafka_producer *producer);
bool kafka_producer_is_up(const struct kafka_producer *producer);
FIBER_FN int kafka_publish(struct kafka_producer *producer, const struct stream_record *records, unsigned count);
/* Makes the topic with STREAM_PARTITIONS if it is not there. 0 or -EAGAIN. */
FIBER_FN int kafka_know_topic(struct kafka_producer *producer, const char *topic);
/* One question for all partitions of the list, into their offsets: where they begin (RD_KAFKA_OFFSET_BEGINNING) or end (RD_KAFKA_OFFSET_END).
 * Blocks for a bounded time, on a thread that may; over the producer's connection, since a consumer's is taken by a fetch that waits. 0 or
 * -EAGAIN. */
int kafka_offsets(struct kafka_producer *producer, rd_kafka_topic_partition_list_t *list, int64_t which);

struct kafka_consumer;
/* Starts its thread and fiber. NULL when short of memory. */
struct kafka_consumer *kafka_consumer_new(const char *brokers, struct kafka_producer *producer, const struct stream_consumer *wanted);
/* Ends both, after the handler at work. */
FIBER_FN void kafka_consumer_stop(struct kafka_consumer *consumer);
void kafka_consumer_free(struct kafka_consumer *consumer);
/* Appends {topic, group, lag, end} for each of its topics. 0 or -EAGAIN. */
FIBER_FN int kafka_consumer_lags(struct kafka_consumer *consumer, struct arena *arena, json_t *list);

#endif
