/* Records in hand (see the header). Texts are copied, since librdkafka's end without a NUL. */
#include "engines/kafka_batch.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const void *at, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return NULL;
    if (size)
        memcpy(text, at, size);
    text[size] = '\0';
    return text;
}

static char *header_copy(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) || rd_kafka_header_get_last(headers, name, &value, &size))
        return NULL;
    return copy(value, size);
}

void kafka_batch_add(struct kafka_batch *batch, rd_kafka_message_t *message)
{
    unsigned i = batch->count++;
    char **texts = &batch->texts[3 * i];
    batch->messages[i] = message;
    texts[0] = copy(message->key, message->key_len);
    texts[1] = header_copy(message, "id");
    texts[2] = header_copy(message, "traceparent");
    batch->records[i] = (struct stream_record){
        .topic = rd_kafka_topic_name(message->rkt),
        .key = texts[0] ? texts[0] : "",
        .id = texts[1] ? texts[1] : "",
        .traceparent = texts[2],
        .value = {message->payload, message->len},
        .partition = message->partition,
        .offset = message->offset,
    };
}

void kafka_batch_clear(struct kafka_batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        rd_kafka_message_destroy(batch->messages[i]);
        for (unsigned k = 0; k < 3; k++)
            free(batch->texts[3 * i + k]);
    }
    batch->count = 0;
}

bool kafka_batch_init(struct kafka_batch *batch, unsigned max)
{
    batch->messages = calloc(max, sizeof *batch->messages);
    batch->records = calloc(max, sizeof *batch->records);
    batch->texts = calloc(3 * (size_t)max, sizeof *batch->texts);
    return batch->messages && batch->records && batch->texts;
}

void kafka_batch_fini(struct kafka_batch *batch)
{
    kafka_batch_clear(batch);
    free(batch->messages);
    free(batch->records);
    free(batch->texts);
}

rd_kafka_topic_partition_list_t *kafka_batch_positions(const struct kafka_batch *batch)
{
    rd_kafka_topic_partition_list_t *positions = rd_kafka_topic_partition_list_new((int)batch->count);
    for (unsigned i = 0; i < batch->count; i++) {
        rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_find(positions, batch->records[i].topic, batch->records[i].partition);
        if (!at)
            at = rd_kafka_topic_partition_list_add(positions, batch->records[i].topic, batch->records[i].partition);
        at->offset = batch->records[i].offset + 1;
    }
    return positions;
}
