/*
 * The queue port on RabbitMQ: quorum queues, publisher confirms, mandatory messages, prefetch, acknowledgement after the effect, a ladder of
 * retry queues by message time-to-live, `<queue>.dead`. The two halves are rabbitmq_publisher.c and rabbitmq_consumers.c; here is the port.
 */
#include "engines/rabbitmq.h"

#include "base/clock.h"
#include "base/settings.h"
#include "runtime/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_MS 1000
#define REFUSES_MS 8000
#define NAMES_MAX 32

struct rabbitmq_queue {
    struct queue base; /* first */
    struct rabbitmq_publisher *publisher;
    struct rabbitmq_consumers *consumers;
    struct timer watchdog; /* on the worker that opened it */
    char *names[NAMES_MAX]; /* published to from here; for depths */
    unsigned name_count;
    pthread_mutex_t names_lock;
};

static void watch(void *arg)
{
    struct rabbitmq_queue *queue = arg;
    rabbitmq_watch(rabbitmq_publisher_link(queue->publisher));
    rabbitmq_watch(rabbitmq_consumers_link(queue->consumers));
    timer_start(&queue->watchdog, clock_mono_ms() + WATCH_MS, watch, queue);
}

static int rabbitmq_open(struct queue **ret_queue, struct err *err)
{
    struct amqp_connection_info info;
    const char *url = settings_text("queue_url");
    char *copy = strdup(url);
    bool valid = copy && strncmp(url, "amqp://", 7) == 0 && amqp_parse_url(copy, &info) == AMQP_STATUS_OK;
    free(copy);
    if (!valid)
        return err_set(err, -EINVAL, "PURSER_QUEUE_URL should be amqp://user:password@host:port/vhost");
    struct rabbitmq_queue *queue = calloc(1, sizeof *queue);
    if (queue)
        queue->publisher = rabbitmq_publisher_new(url);
    if (queue && queue->publisher)
        queue->consumers = rabbitmq_consumers_new(url, queue->publisher);
    if (!queue || !queue->consumers) {
        if (queue && queue->publisher)
            rabbitmq_publisher_free(queue->publisher);
        free(queue);
        return err_set(err, -ENOMEM, "out of memory");
    }
    queue->base.ops = &rabbitmq_queue_ops;
    pthread_mutex_init(&queue->names_lock, NULL);
    watch(queue);
    *ret_queue = &queue->base;
    return 0;
}

static FIBER_FN void rabbitmq_close(struct queue *base)
{
    struct rabbitmq_queue *queue = (struct rabbitmq_queue *)base;
    rabbitmq_consumers_stop(queue->consumers);
    rabbitmq_consumers_free(queue->consumers);
    timer_stop(&queue->watchdog);
    rabbitmq_publisher_free(queue->publisher);
    while (queue->name_count)
        free(queue->names[--queue->name_count]);
    pthread_mutex_destroy(&queue->names_lock);
    free(queue);
}

/* Whoever was refused tries again sooner than this; so it is over when nobody has been for so long. */
static bool refuses(const struct rabbitmq_link *link)
{
    int64_t refused = __atomic_load_n(&link->refused_mono_ms, __ATOMIC_ACQUIRE);
    return refused && clock_mono_ms() - refused < REFUSES_MS;
}

/* A queue that is full, and an alarm, are the engine's being away for those who publish. */
static bool rabbitmq_is_up(const struct queue *base)
{
    const struct rabbitmq_queue *queue = (const struct rabbitmq_queue *)base;
    const struct rabbitmq_link *publisher = rabbitmq_publisher_link(queue->publisher);
    return rabbitmq_takes(publisher) && !refuses(publisher) &&
           (!rabbitmq_consumers_any(queue->consumers) || rabbitmq_takes(rabbitmq_consumers_link(queue->consumers)));
}

static void note_name(struct rabbitmq_queue *queue, const char *name)
{
    pthread_mutex_lock(&queue->names_lock);
    bool seen = false;
    for (unsigned i = 0; i < queue->name_count; i++)
        seen |= strcmp(queue->names[i], name) == 0;
    char *copy = seen || queue->name_count == NAMES_MAX ? NULL : strdup(name);
    if (copy)
        queue->names[queue->name_count++] = copy;
    pthread_mutex_unlock(&queue->names_lock);
}

static FIBER_FN int port_publish(struct queue *base, const struct queue_message *messages, unsigned count)
{
    struct rabbitmq_queue *queue = (struct rabbitmq_queue *)base;
    struct rabbitmq_outgoing *list = calloc(count, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        list[i] = (struct rabbitmq_outgoing){.message = &messages[i], .attempt = 1};
        snprintf(list[i].queue, sizeof list[i].queue, "%s", messages[i].queue);
        note_name(queue, messages[i].queue);
    }
    int error = rabbitmq_publish(queue->publisher, list, count);
    free(list);
    return error;
}

static int port_consume(struct queue *base, const struct queue_consumer *consumer, struct err *err)
{
    struct rabbitmq_queue *queue = (struct rabbitmq_queue *)base;
    int error = rabbitmq_consumers_add(queue->consumers, consumer);
    return error ? err_set(err, error, "the queue %s cannot be consumed", consumer->queue) : 0;
}

static FIBER_FN void port_stop(struct queue *base)
{
    rabbitmq_consumers_stop(((struct rabbitmq_queue *)base)->consumers);
}

/* ---- depths ---- */

static unsigned all_names(struct rabbitmq_queue *queue, const char **names)
{
    unsigned count = rabbitmq_consumers_names(queue->consumers, names, NAMES_MAX);
    pthread_mutex_lock(&queue->names_lock);
    for (unsigned k = 0; k < queue->name_count && count < NAMES_MAX; k++) {
        bool seen = false;
        for (unsigned i = 0; i < count; i++)
            seen |= strcmp(names[i], queue->names[k]) == 0;
        if (!seen)
            names[count++] = queue->names[k];
    }
    pthread_mutex_unlock(&queue->names_lock);
    return count;
}

/* The queue, its dead letters, and each step of its ladder. */
static unsigned questions_of(const char *name, struct rabbitmq_outgoing *list)
{
    unsigned count = 0, limit = (unsigned)settings_number("retry_limit");
    int64_t before = 0;
    list[count++] = (struct rabbitmq_outgoing){0};
    snprintf(list[0].queue, sizeof list[0].queue, "%s", name);
    list[count] = (struct rabbitmq_outgoing){0};
    rabbitmq_dead_name(name, list[count++].queue);
    for (unsigned attempt = 1; attempt < limit; attempt++) {
        int64_t pause_ms = queue_pause_ms(attempt);
        if (pause_ms == before)
            break;
        before = pause_ms;
        list[count] = (struct rabbitmq_outgoing){.pause_ms = pause_ms};
        snprintf(list[count].back_to, sizeof list[count].back_to, "%s", name);
        rabbitmq_retry_name(name, pause_ms, list[count++].queue);
    }
    return count;
}

static FIBER_FN int port_depths(struct queue *base, struct arena *arena, json_t **ret_list)
{
    struct rabbitmq_queue *queue = (struct rabbitmq_queue *)base;
    const char *names[NAMES_MAX];
    unsigned count = all_names(queue, names);
    struct rabbitmq_outgoing *questions = arena_alloc(arena, 32 * sizeof *questions);
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < count; i++) {
        int64_t counts[32], retrying = 0;
        unsigned n = questions_of(names[i], questions);
        int error = rabbitmq_count(queue->publisher, questions, n, counts);
        if (error)
            return error;
        for (unsigned k = 2; k < n; k++)
            retrying += counts[k];
        json_add(list, json_make(arena, "{s:s, s:I, s:I, s:I, s:I}", "name", names[i], "ready", (json_int_t)counts[0], "unacknowledged",
                                          (json_int_t)rabbitmq_consumers_held(queue->consumers, names[i]), "retrying", (json_int_t)retrying,
                                          "dead", (json_int_t)counts[1]));
    }
    *ret_list = list;
    return 0;
}

const struct queue_ops rabbitmq_queue_ops = {
    .scheme = "amqp",
    .open = rabbitmq_open,
    .close = rabbitmq_close,
    .is_up = rabbitmq_is_up,
    .publish = port_publish,
    .consume = port_consume,
    .stop = port_stop,
    .depths = port_depths,
};
