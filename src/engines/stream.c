/* The stream port's wrapper: picks the adapter by the URL's scheme, and counts what was published. */
#include "engines/stream_ops.h"

#include "base/recent.h"
#include "base/settings.h"

#include <errno.h>

static const struct stream_ops *const adapters[] = {&embedded_stream_ops, &kafka_stream_ops};

int stream_open(struct stream **ret_stream, struct err *err)
{
    const char *url = settings_text("stream_url");
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++) {
        struct text scheme = text_of(adapters[i]->scheme);
        if (text_starts(text_of(url), scheme) && url[scheme.size] == ':')
            return adapters[i]->open(ret_stream, err);
    }
    return err_set(err, -EINVAL, "PURSER_STREAM_URL should be embedded: or kafka://host:port,…, not %s", url);
}

void stream_close(struct stream *stream)
{
    if (stream)
        stream->ops->close(stream);
}

bool stream_is_up(const struct stream *stream)
{
    return stream->ops->is_up(stream);
}

int stream_publish(struct stream *stream, const struct stream_record *records, unsigned count)
{
    int result = count ? stream->ops->publish(stream, records, count) : 0;
    for (unsigned i = 0; i < count && result == 0; i++)
        recent_note(recent_get(RECENT_TOPIC_PUBLISHED, records[i].topic), 1, false, -1);
    return result;
}

int stream_consume(struct stream *stream, const struct stream_consumer *consumer, struct err *err)
{
    return stream->ops->consume(stream, consumer, err);
}

void stream_stop(struct stream *stream)
{
    stream->ops->stop(stream);
}

int stream_lags(struct stream *stream, struct arena *arena, json_t **ret_list)
{
    return stream->ops->lags(stream, arena, ret_list);
}
