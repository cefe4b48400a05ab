/* Records in hand: messages of librdkafka with what the handlers see of them. Of the thread that polls; the fiber reads them meanwhile. */
#ifndef PURSER_ENGINES_KAFKA_BATCH_H
#define PURSER_ENGINES_KAFKA_BATCH_H

#include "engines/kafka.h"

struct kafka_batch {
    struct stream_record *records;
    unsigned count;
    rd_kafka_message_t **messages;
    char **texts; /* three a record: key, id, traceparent; NUL-terminated copies */
};

/* With room for `max` records. False when memory is short; finish it all the same. */
bool kafka_batch_init(struct kafka_batch *batch, unsigned max);
void kafka_batch_fini(struct kafka_batch *batch);
/* At its end, where there must be room. The batch owns the message from here on. */
void kafka_batch_add(struct kafka_batch *batch, rd_kafka_message_t *message);
/* Leaves it empty. */
void kafka_batch_clear(struct kafka_batch *batch);
/* What follows the last record of each partition; the caller destroys the list. */
rd_kafka_topic_partition_list_t *kafka_batch_positions(const struct kafka_batch *batch);

#endif
