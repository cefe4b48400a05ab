/* What an adapter of the stream port provides. Only for the adapters and stream.c. */
#ifndef PURSER_ENGINES_STREAM_OPS_H
#define PURSER_ENGINES_STREAM_OPS_H

#include "engines/stream.h"

struct stream_ops {
    const char *scheme;
    int (*open)(struct stream **ret_stream, struct err *err);
    FIBER_FN void (*close)(struct stream *stream);
    bool (*is_up)(const struct stream *stream);
    FIBER_FN int (*publish)(struct stream *stream, const struct stream_record *records, unsigned count);
    int (*consume)(struct stream *stream, const struct stream_consumer *consumer, struct err *err);
    FIBER_FN void (*stop)(struct stream *stream);
    FIBER_FN int (*lags)(struct stream *stream, struct arena *arena, json_t **ret_list);
};

struct stream {
    const struct stream_ops *ops;
};

extern const struct stream_ops embedded_stream_ops, kafka_stream_ops;

#define STREAM_PARTITIONS 16
#define STREAM_TOPICS_MAX 8 /* of one consumer */
/* The pause before records come again that a handler did not take. */
#define STREAM_PAUSE_MS 500

#endif
