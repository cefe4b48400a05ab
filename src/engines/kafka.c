/* The stream port on Kafka. Publishing is kafka_producer.c, each consumer kafka_consumer.c; here is the port. */
#include "engines/kafka.h"

#include "base/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONSUMERS_MAX 16

struct kafka_stream {
    struct stream base; /* first */
    const char *brokers;
    struct kafka_producer *producer;
    struct kafka_consumer *consumers[CONSUMERS_MAX];
    unsigned consumer_count;
};

static int kafka_open(struct stream **ret_stream, struct err *err)
{
    const char *url = settings_text("stream_url");
    struct text scheme = text_of("kafka://");
    if (!text_starts(text_of(url), scheme) || !url[scheme.size])
        return err_set(err, -EINVAL, "PURSER_STREAM_URL should be kafka://host:port,…");
    struct kafka_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return err_set(err, -ENOMEM, "out of memory");
    stream->base.ops = &kafka_stream_ops;
    stream->brokers = url + scheme.size;
    stream->producer = kafka_producer_new(stream->brokers);
    if (!stream->producer) {
        free(stream);
        return err_set(err, -ENOMEM, "the Kafka producer could not be made");
    }
    *ret_stream = &stream->base;
    return 0;
}

static FIBER_FN void port_stop(struct stream *base)
{
    struct kafka_stream *stream = (struct kafka_stream *)base;
    for (unsigned i = 0; i < stream->consumer_count; i++)
        kafka_consumer_stop(stream->consumers[i]);
    for (unsigned i = 0; i < stream->consumer_count; i++)
        kafka_consumer_free(stream->consumers[i]);
    stream->consumer_count = 0;
}

static FIBER_FN void kafka_close(struct stream *base)
{
    struct kafka_stream *stream = (struct kafka_stream *)base;
    port_stop(base);
    kafka_producer_free(stream->producer);
    free(stream);
}

static bool port_is_up(const struct stream *base)
{
    return kafka_producer_is_up(((const struct kafka_stream *)base)->producer);
}

static FIBER_FN int port_publish(struct stream *base, const struct stream_record *records, unsigned count)
{
    return kafka_publish(((struct kafka_stream *)base)->producer, records, count);
}

static int port_consume(struct stream *base, const struct stream_consumer *wanted, struct err *err)
{
    struct kafka_stream *stream = (struct kafka_stream *)base;
    struct kafka_consumer *consumer =
        stream->consumer_count < CONSUMERS_MAX ? kafka_consumer_new(stream->brokers, stream->producer, wanted) : NULL;
    if (!consumer)
        return err_set(err, -ENOMEM, "the group %s cannot be joined", wanted->group);
    stream->consumers[stream->consumer_count++] = consumer;
    return 0;
}

static FIBER_FN int port_lags(struct stream *base, struct arena *arena, json_t **ret_list)
{
    struct kafka_stream *stream = (struct kafka_stream *)base;
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < stream->consumer_count; i++) {
        int error = kafka_consumer_lags(stream->consumers[i], arena, list);
        if (error)
            return error;
    }
    *ret_list = list;
    return 0;
}

const struct stream_ops kafka_stream_ops = {
    .scheme = "kafka",
    .open = kafka_open,
    .close = kafka_close,
    .is_up = port_is_up,
    .publish = port_publish,
    .consume = port_consume,
    .stop = port_stop,
    .lags = port_lags,
};
