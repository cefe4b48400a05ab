/*
 * The consuming half: one thread reads deliveries of all consumers (a channel each) into their inboxes and sends what their fibers
 * (rabbitmq_consumer.c) have decided.
 *
 * Delivery tags belong to one connection: after a reconnect (a new epoch) what fibers decide about older ones is dropped, and the broker
 * delivers these messages again.
 */
#include "engines/rabbitmq_consumers.h"

#include "base/log.h"

#include <amqp_framing.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POLL_MS 500
#define PAUSE_MAX_MS 1000
#define FRAMES_A_ROUND 1000

void rabbitmq_consumers_ring(struct rabbitmq_consumers *all)
{
    uint64_t one = 1;
    if (write(all->wake, &one, sizeof one) < 0)
        return; /* full: it is awake */
}

static bool begin_consumer(struct rabbitmq_consumers *all, struct consumer *consumer)
{
    struct rabbitmq_link *link = &all->link;
    char dead[RABBITMQ_NAME_MAX];
    rabbitmq_dead_name(consumer->wanted.queue, dead);
    amqp_channel_open(link->connection, (amqp_channel_t)consumer->channel);
    if (!rabbitmq_succeeded(link, "opening a channel"))
        return false;
    if (rabbitmq_declare(link, consumer->channel, consumer->wanted.queue, "", 0) < 0 || rabbitmq_declare(link, consumer->channel, dead, "", 0) < 0)
        return false;
    amqp_basic_qos(link->connection, (amqp_channel_t)consumer->channel, 0, (uint16_t)(consumer->wanted.prefetch ? consumer->wanted.prefetch : 64), 0);
    if (!rabbitmq_succeeded(link, "setting the prefetch"))
        return false;
    amqp_basic_consume(link->connection, (amqp_channel_t)consumer->channel, amqp_cstring_bytes(consumer->queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    return rabbitmq_succeeded(link, "consuming");
}

static bool begin_all(struct rabbitmq_consumers *all)
{
    pthread_mutex_lock(&all->lock);
    struct consumer *list = all->list;
    pthread_mutex_unlock(&all->lock);
    for (struct consumer *consumer = list; consumer; consumer = consumer->next) {
        pthread_mutex_lock(&all->lock);
        bool wanted = consumer->state == WANTED;
        pthread_mutex_unlock(&all->lock);
        if (!wanted)
            continue;
        if (!begin_consumer(all, consumer))
            return false;
        pthread_mutex_lock(&all->lock);
        if (consumer->state == WANTED)
            consumer->state = RUNNING;
        pthread_mutex_unlock(&all->lock);
    }
    return true;
}

/* Those whose fiber has ended: the channel goes, and what it held goes back to the queue. */
static bool end_some(struct rabbitmq_consumers *all)
{
    pthread_mutex_lock(&all->lock);
    struct consumer *list = all->list;
    pthread_mutex_unlock(&all->lock);
    for (struct consumer *consumer = list; consumer; consumer = consumer->next) {
        pthread_mutex_lock(&all->lock);
        bool ends = consumer->state == STOPPING && consumer->fiber_ended;
        pthread_mutex_unlock(&all->lock);
        if (!ends)
            continue;
        if (all->link.up)
            amqp_channel_close(all->link.connection, (amqp_channel_t)consumer->channel, AMQP_REPLY_SUCCESS);
        pthread_mutex_lock(&all->lock);
        rabbitmq_delivery_drop(consumer);
        consumer->state = GONE;
        pthread_mutex_unlock(&all->lock);
        wakeup_ring(&consumer->ended);
    }
    return true;
}

static bool send_decisions(struct rabbitmq_consumers *all)
{
    pthread_mutex_lock(&all->lock);
    struct decision *list = all->first;
    all->first = NULL;
    all->last = &all->first;
    pthread_mutex_unlock(&all->lock);
    int status = AMQP_STATUS_OK;
    while (list) {
        struct decision *next = list->next;
        if (status == AMQP_STATUS_OK && all->link.up && list->epoch == all->epoch)
            status = list->back ? amqp_basic_nack(all->link.connection, (amqp_channel_t)list->channel, list->tag, 0, 1)
                                : amqp_basic_ack(all->link.connection, (amqp_channel_t)list->channel, list->tag, list->multiple);
        free(list);
        list = next;
    }
    return status == AMQP_STATUS_OK;
}

/* False: it could not be kept. The connection has to end then, or the acknowledgement of a later one would cover it. */
static bool give(struct rabbitmq_consumers *all, const amqp_envelope_t *envelope)
{
    for (struct consumer *consumer = all->list; consumer; consumer = consumer->next) {
        if (consumer->channel != envelope->channel)
            continue;
        struct item *item = rabbitmq_delivery_item(consumer, envelope, all->epoch);
        if (!item)
            return false;
        pthread_mutex_lock(&all->lock);
        *consumer->last = item;
        consumer->last = &item->next;
        __atomic_add_fetch(&consumer->held, 1, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&all->lock);
        wakeup_ring(&consumer->arrived);
        return true;
    }
    return true;
}

/* What is no delivery: closes and cancellations end the connection, the rest is passed over. */
static bool take_other(struct rabbitmq_consumers *all)
{
    amqp_frame_t frame;
    struct timeval none = {0};
    int status = amqp_simple_wait_frame_noblock(all->link.connection, &frame, &none);
    if (status == AMQP_STATUS_TIMEOUT)
        return true;
    if (status != AMQP_STATUS_OK)
        return false;
    if (frame.frame_type != AMQP_FRAME_METHOD)
        return true;
    amqp_method_number_t id = frame.payload.method.id;
    return id != AMQP_CHANNEL_CLOSE_METHOD && id != AMQP_CONNECTION_CLOSE_METHOD && id != AMQP_BASIC_CANCEL_METHOD;
}

static bool has_read(const struct rabbitmq_consumers *all)
{
    return amqp_data_in_buffer(all->link.connection) || amqp_frames_enqueued(all->link.connection);
}

/* One read of the socket, and what it brought: where there is more, the next poll says so. */
static bool read_deliveries(struct rabbitmq_consumers *all)
{
    for (int i = 0; i < FRAMES_A_ROUND && (i == 0 || has_read(all)); i++) {
        amqp_envelope_t envelope;
        struct timeval none = {0};
        amqp_rpc_reply_t reply = amqp_consume_message(all->link.connection, &envelope, &none, 0);
        if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
            bool given = give(all, &envelope);
            amqp_destroy_envelope(&envelope);
            if (!given)
                return false;
            continue;
        }
        if (reply.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION)
            return false;
        if (reply.library_error == AMQP_STATUS_TIMEOUT)
            return true;
        if (reply.library_error != AMQP_STATUS_UNEXPECTED_STATE || !take_other(all))
            return false;
    }
    return true;
}

static void forget_connection(struct rabbitmq_consumers *all)
{
    rabbitmq_disconnect(&all->link);
    pthread_mutex_lock(&all->lock);
    all->epoch++;
    for (struct consumer *consumer = all->list; consumer; consumer = consumer->next) {
        rabbitmq_delivery_drop(consumer);
        if (consumer->state == RUNNING)
            consumer->state = WANTED;
    }
    pthread_mutex_unlock(&all->lock);
}

static void wait_for_more(struct rabbitmq_consumers *all, int ms)
{
    struct pollfd fds[2] = {{.fd = all->wake, .events = POLLIN}, {.fd = all->link.fd, .events = POLLIN}};
    uint64_t rung;
    if (all->link.up && has_read(all))
        ms = 0;
    poll(fds, all->link.up ? 2 : 1, ms);
    if ((fds[0].revents & POLLIN) && read(all->wake, &rung, sizeof rung) < 0)
        return;
}

static bool any_wanted(struct rabbitmq_consumers *all)
{
    pthread_mutex_lock(&all->lock);
    bool any = false;
    for (struct consumer *consumer = all->list; consumer; consumer = consumer->next)
        any |= consumer->state == WANTED || consumer->state == RUNNING;
    pthread_mutex_unlock(&all->lock);
    return any;
}

static bool round_of_work(struct rabbitmq_consumers *all)
{
    if (__atomic_exchange_n(&all->undecided, false, __ATOMIC_ACQ_REL))
        return false;
    bool done = begin_all(all) && send_decisions(all) && read_deliveries(all) && send_decisions(all) && end_some(all);
    if (all->link.connection)
        amqp_maybe_release_buffers(all->link.connection);
    return done;
}

static void *consumers_main(void *arg)
{
    struct rabbitmq_consumers *all = arg;
    struct rabbitmq_link *link = &all->link;
    while (!__atomic_load_n(&all->stopping, __ATOMIC_ACQUIRE)) {
        if (!link->up && any_wanted(all)) {
            if (rabbitmq_connect(link) == 0)
                __atomic_store_n(&link->up, true, __ATOMIC_RELEASE);
            else
                link->pause_ms = !link->pause_ms ? 50 : link->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : link->pause_ms * 2;
        }
        rabbitmq_busy(link, link->up);
        if (link->up && !round_of_work(all)) {
            log_warn("rabbitmq broke off the consumers' connection", NULL);
            forget_connection(all);
        } else if (!link->up) {
            send_decisions(all);
            end_some(all);
        } else {
            link->pause_ms = 0;
        }
        rabbitmq_busy(link, false);
        wait_for_more(all, link->up || !any_wanted(all) ? POLL_MS : link->pause_ms ? (int)link->pause_ms : 50);
    }
    send_decisions(all);
    rabbitmq_disconnect(link);
    return NULL;
}

/* ---- life ---- */

struct rabbitmq_consumers *rabbitmq_consumers_new(const char *url, struct rabbitmq_publisher *publisher)
{
    struct rabbitmq_consumers *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->link.url = url;
    all->link.fd = -1;
    all->publisher = publisher;
    all->last = &all->first;
    all->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&all->lock, NULL);
    if (all->wake >= 0)
        return all;
    free(all);
    return NULL;
}

int rabbitmq_consumers_add(struct rabbitmq_consumers *all, const struct queue_consumer *wanted)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return -ENOMEM;
    *consumer = (struct consumer){.all = all, .wanted = *wanted};
    consumer->last = &consumer->first;
    consumer->wanted.queue = strdup(wanted->queue);
    if (!consumer->wanted.queue) {
        free(consumer);
        return -ENOMEM;
    }
    if (wanted->dead_letters)
        rabbitmq_dead_name(wanted->queue, consumer->queue);
    else
        snprintf(consumer->queue, sizeof consumer->queue, "%s", wanted->queue);
    pthread_mutex_lock(&all->lock);
    consumer->channel = ++all->channels;
    consumer->next = all->list;
    all->list = consumer;
    pthread_mutex_unlock(&all->lock);
    int error = fiber_start("queue consumer", rabbitmq_consumer_main, consumer);
    if (!error && !all->has_thread)
        error = -pthread_create(&all->thread, NULL, consumers_main, all);
    all->has_thread |= !error;
    rabbitmq_consumers_ring(all);
    return error;
}

FIBER_FN void rabbitmq_consumers_stop(struct rabbitmq_consumers *all)
{
    struct consumer *list = all->list;
    for (struct consumer *consumer = list; consumer; consumer = consumer->next) {
        pthread_mutex_lock(&all->lock);
        bool stop = consumer->state == WANTED || consumer->state == RUNNING;
        if (stop)
            consumer->state = STOPPING;
        pthread_mutex_unlock(&all->lock);
        if (stop)
            wakeup_ring(&consumer->arrived);
    }
    rabbitmq_consumers_ring(all);
    for (struct consumer *consumer = list; consumer; consumer = consumer->next) {
        pthread_mutex_lock(&all->lock);
        bool gone = consumer->state == GONE;
        pthread_mutex_unlock(&all->lock);
        if (!gone)
            wakeup_wait_uninterrupted(&consumer->ended);
    }
}

void rabbitmq_consumers_free(struct rabbitmq_consumers *all)
{
    __atomic_store_n(&all->stopping, true, __ATOMIC_RELEASE);
    rabbitmq_consumers_ring(all);
    if (all->has_thread)
        pthread_join(all->thread, NULL);
    while (all->list) {
        struct consumer *next = all->list->next;
        rabbitmq_delivery_drop(all->list);
        free((char *)(uintptr_t)all->list->wanted.queue);
        free(all->list);
        all->list = next;
    }
    close(all->wake);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

struct rabbitmq_link *rabbitmq_consumers_link(struct rabbitmq_consumers *all)
{
    return &all->link;
}

bool rabbitmq_consumers_any(struct rabbitmq_consumers *all)
{
    return any_wanted(all);
}

int64_t rabbitmq_consumers_held(struct rabbitmq_consumers *all, const char *queue)
{
    int64_t held = 0;
    pthread_mutex_lock(&all->lock);
    for (struct consumer *consumer = all->list; consumer; consumer = consumer->next)
        if (!consumer->wanted.dead_letters && strcmp(consumer->wanted.queue, queue) == 0)
            held += __atomic_load_n(&consumer->held, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&all->lock);
    return held;
}

unsigned rabbitmq_consumers_names(struct rabbitmq_consumers *all, const char **ret_names, unsigned room)
{
    unsigned count = 0;
    pthread_mutex_lock(&all->lock);
    for (struct consumer *consumer = all->list; consumer && count < room; consumer = consumer->next) {
        bool seen = false;
        for (unsigned i = 0; i < count; i++)
            seen |= strcmp(ret_names[i], consumer->wanted.queue) == 0;
        if (!seen)
            ret_names[count++] = consumer->wanted.queue;
    }
    pthread_mutex_unlock(&all->lock);
    return count;
}
