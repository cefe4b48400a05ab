/*
 * The stream port: ordered facts by key, many readers, each group with its own position, replay from the start. At least once;
 * order is kept per key. Adapters: embedded (SQLite file stream.db, 16 partitions), Kafka (acks=all, idempotent producer).
 */
#ifndef PURSER_ENGINES_STREAM_H
#define PURSER_ENGINES_STREAM_H

#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/fiber.h"

#include <stdbool.h>
#include <stdint.h>

struct stream;

struct stream_record {
    const char *topic;
    const char *key;
    const char *id; /* the event's */
    const char *traceparent;
    struct text value;
    int32_t partition; /* set for readers */
    int64_t offset;    /* set for readers */
};

struct stream_consumer {
    const char *group;
    const char *const *topics; /* ends with NULL */
    unsigned batch_max;
    /* 0: positions are committed. Negative: the same records come again after a pause. One call at a time per consumer, on a fiber. */
    FIBER_FN int (*handle)(void *context, const struct stream_record *records, unsigned count);
    void *context;
};

int stream_open(struct stream **ret_stream, struct err *err);
FIBER_FN void stream_close(struct stream *stream);
bool stream_is_up(const struct stream *stream);

/* All durable in order of the array, or negative (a part may be there; repeats are recognised by id). */
FIBER_FN int stream_publish(struct stream *stream, const struct stream_record *records, unsigned count);
int stream_consume(struct stream *stream, const struct stream_consumer *consumer, struct err *err);
FIBER_FN void stream_stop(struct stream *stream);

/* Lags for the operations page: [{topic, group, lag, end}] */
FIBER_FN int stream_lags(struct stream *stream, struct arena *arena, json_t **ret_list);

#endif
