/* The queue port's wrapper: picks the adapter by the URL's scheme, and holds what all adapters decide alike: pauses, the last attempt, and
 * what is counted. */
#include "engines/queue_ops.h"

#include "base/recent.h"
#include "base/settings.h"

#include <errno.h>

static const struct queue_ops *const adapters[] = {&embedded_queue_ops, &rabbitmq_queue_ops};

int queue_open(struct queue **ret_queue, struct err *err)
{
    const char *url = settings_text("queue_url");
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++) {
        struct text scheme = text_of(adapters[i]->scheme);
        if (text_starts(text_of(url), scheme) && url[scheme.size] == ':')
            return adapters[i]->open(ret_queue, err);
    }
    return err_set(err, -EINVAL, "PURSER_QUEUE_URL should be embedded: or amqp://…, not %s", url);
}

void queue_close(struct queue *queue)
{
    if (queue)
        queue->ops->close(queue);
}

bool queue_is_up(const struct queue *queue)
{
    return queue->ops->is_up(queue);
}

int queue_publish(struct queue *queue, const struct queue_message *messages, unsigned count)
{
    int result = count ? queue->ops->publish(queue, messages, count) : 0;
    for (unsigned i = 0; i < count && result == 0; i++)
        recent_note(recent_get(RECENT_QUEUE_PUBLISHED, messages[i].queue), 1, false, -1);
    return result;
}

int queue_consume(struct queue *queue, const struct queue_consumer *consumer, struct err *err)
{
    return queue->ops->consume(queue, consumer, err);
}

void queue_stop(struct queue *queue)
{
    queue->ops->stop(queue);
}

int queue_depths(struct queue *queue, struct arena *arena, json_t **ret_list)
{
    return queue->ops->depths(queue, arena, ret_list);
}

int64_t queue_pause_ms(unsigned attempts)
{
    int64_t pause_ms = settings_duration_ms("retry_base");
    for (unsigned i = 1; i < attempts && pause_ms < QUEUE_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    return pause_ms < QUEUE_PAUSE_MAX_MS ? pause_ms : QUEUE_PAUSE_MAX_MS;
}

enum queue_verdict queue_outcome(const struct queue_consumer *consumer, const struct queue_delivery *delivery)
{
    if (consumer->dead_letters)
        return delivery->verdict == QUEUE_ACK ? QUEUE_ACK : QUEUE_AGAIN;
    if (delivery->verdict == QUEUE_RETRY && delivery->attempt >= (unsigned)settings_number("retry_limit"))
        return QUEUE_DEAD;
    if (delivery->verdict == QUEUE_ACK)
        recent_note(recent_get(RECENT_QUEUE_HANDLED, consumer->queue), 1, false, -1);
    return delivery->verdict;
}
