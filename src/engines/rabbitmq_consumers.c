/*
 * The consuming half: one thread reads deliveries of all consumers (a channel each) into their inboxes and sends what their fibers have
 * decided. A consumer's fiber takes a batch, has it handled on a fiber of its own, and settles it: what failed is first published to a step of
 * the retry ladder or to the dead letters and only then acknowledged, so that at any moment the message is somewhere.
 *
 * Delivery tags belong to one connection: after a reconnect (a new epoch) what fibers decide about older ones is dropped, and the broker
 * delivers these messages again.
 */
#include "engines/rabbitmq.h"

#include "base/clock.h"
#include "base/log.h"

#include <amqp_framing.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 500
#define PAUSE_MAX_MS 1000
#define FRAMES_A_ROUND 1000
#define NAMES_ROOM 32

struct item {
    struct item *next;
    uint64_t tag, epoch;
    struct queue_delivery delivery; /* its texts lie behind */
    char bytes[];
};

enum consumer_state { WANTED, RUNNING, STOPPING, GONE };

struct consumer {
    struct consumer *next;
    struct rabbitmq_consumers *all;
    struct queue_consumer wanted;
    char queue[RABBITMQ_NAME_MAX]; /* what is consumed: the queue, or its dead letters */
    int channel;
    enum consumer_state state; /* under the lock */
    struct item *first, **last; /* under the lock */
    int64_t held;               /* atomic */
    struct wakeup arrived, ended; /* of its fiber; of who waits for its end */
    bool fiber_ended;
};

/* What a fiber has decided, for the thread to send. */
struct decision {
    struct decision *next;
    int channel;
    uint64_t tag, epoch;
    bool multiple, back; /* acknowledge all up to it; or put this one back */
};

struct rabbitmq_consumers {
    struct rabbitmq_link link;
    struct rabbitmq_publisher *publisher;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    int wake; /* eventfd */
    bool stopping;
    struct consumer *list;
    struct decision *first, **last;
    int channels;
    uint64_t epoch;
    bool undecided; /* a decision was lost for want of memory: only a new connection brings its message again; atomic */
};

static void ring_thread(struct rabbitmq_consumers *all)
{
    uint64_t one = 1;
    if (write(all->wake, &one, sizeof one) < 0)
        return; /* full: it is awake */
}

/* ---- items ---- */

struct texts {
    char *at;
};

static const char *keep(struct texts *texts, amqp_bytes_t bytes)
{
    char *start = texts->at;
    memcpy(start, bytes.bytes, bytes.len);
    start[bytes.len] = '\0';
    texts->at += bytes.len + 1;
    return start;
}

static amqp_bytes_t header_text(const amqp_basic_properties_t *properties, const char *name)
{
    for (int i = 0; (properties->_flags & AMQP_BASIC_HEADERS_FLAG) && i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (entry->key.len == strlen(name) && memcmp(entry->key.bytes, name, entry->key.len) == 0 &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8)
            return entry->value.value.bytes;
    }
    return amqp_empty_bytes;
}

static unsigned header_attempt(const amqp_basic_properties_t *properties)
{
    for (int i = 0; (properties->_flags & AMQP_BASIC_HEADERS_FLAG) && i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (entry->key.len == 9 && memcmp(entry->key.bytes, "x-attempt", 9) == 0 && entry->value.kind == AMQP_FIELD_KIND_I32)
            return entry->value.value.i32 > 0 ? (unsigned)entry->value.value.i32 : 1;
    }
    return 1;
}

static struct item *item_of(const struct consumer *consumer, const amqp_envelope_t *envelope, uint64_t epoch)
{
    const amqp_basic_properties_t *properties = &envelope->message.properties;
    amqp_bytes_t id = properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG ? properties->message_id : amqp_empty_bytes;
    bool has_correlation = properties->_flags & AMQP_BASIC_CORRELATION_ID_FLAG, has_reply = properties->_flags & AMQP_BASIC_REPLY_TO_FLAG;
    amqp_bytes_t trace = header_text(properties, "traceparent"), error = header_text(properties, "x-error");
    size_t size = id.len + trace.len + envelope->message.body.len + 5 + (has_correlation ? properties->correlation_id.len : 0) +
                  (has_reply ? properties->reply_to.len : 0);
    struct item *item = calloc(1, sizeof *item + size);
    if (!item)
        return NULL;
    struct texts texts = {item->bytes};
    item->tag = envelope->delivery_tag;
    item->epoch = epoch;
    item->delivery.attempt = header_attempt(properties);
    snprintf(item->delivery.error, sizeof item->delivery.error, "%.*s", (int)error.len, error.len ? (char *)error.bytes : "");
    item->delivery.message = (struct queue_message){
        .queue = consumer->wanted.queue,
        .id = keep(&texts, id),
        .correlation_id = has_correlation ? keep(&texts, properties->correlation_id) : NULL,
        .reply_to = has_reply ? keep(&texts, properties->reply_to) : NULL,
        .traceparent = trace.len ? keep(&texts, trace) : NULL,
    };
    item->delivery.message.body = (struct text){keep(&texts, envelope->message.body), envelope->message.body.len};
    return item;
}

static void drop_items(struct consumer *consumer)
{
    while (consumer->first) {
        struct item *next = consumer->first->next;
        free(consumer->first);
        consumer->first = next;
        __atomic_sub_fetch(&consumer->held, 1, __ATOMIC_RELAXED);
    }
    consumer->last = &consumer->first;
}

/* ---- the fiber ---- */

struct batch {
    struct consumer *consumer;
    struct queue_delivery *deliveries;
    unsigned count;
};

static FIBER_FN void handle_batch(void *arg)
{
    struct batch *batch = arg;
    batch->consumer->wanted.handle(batch->consumer->wanted.context, batch->deliveries, batch->count);
}

static void decide(struct consumer *consumer, uint64_t tag, uint64_t epoch, bool multiple, bool back)
{
    struct rabbitmq_consumers *all = consumer->all;
    struct decision *decision = malloc(sizeof *decision);
    if (!decision) {
        __atomic_store_n(&all->undecided, true, __ATOMIC_RELEASE);
        ring_thread(all);
        return;
    }
    *decision = (struct decision){.channel = consumer->channel, .tag = tag, .epoch = epoch, .multiple = multiple, .back = back};
    pthread_mutex_lock(&all->lock);
    *all->last = decision;
    all->last = &decision->next;
    pthread_mutex_unlock(&all->lock);
    ring_thread(all);
}

/* Where a delivery goes that was not acknowledged. */
static void route(const struct consumer *consumer, const struct queue_delivery *delivery, enum queue_verdict outcome,
                  struct rabbitmq_outgoing *out)
{
    *out = (struct rabbitmq_outgoing){.message = &delivery->message, .attempt = delivery->attempt};
    if (outcome == QUEUE_DEAD) {
        rabbitmq_dead_name(consumer->wanted.queue, out->queue);
        out->error = delivery->error;
        return;
    }
    out->pause_ms = queue_pause_ms(outcome == QUEUE_AGAIN ? 1 : delivery->attempt);
    rabbitmq_retry_name(consumer->queue, out->pause_ms, out->queue);
    snprintf(out->back_to, sizeof out->back_to, "%s", consumer->queue);
    if (outcome == QUEUE_RETRY)
        out->attempt++;
    else if (consumer->wanted.dead_letters)
        out->error = delivery->error;
}

/* Publishes what has to come again or is dead; false: nothing of that may be acknowledged. */
static FIBER_FN bool send_on(struct consumer *consumer, const struct queue_delivery *deliveries, const enum queue_verdict *outcomes, unsigned count)
{
    struct rabbitmq_outgoing *list = calloc(count, sizeof *list);
    unsigned n = 0;
    if (!list)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (outcomes[i] != QUEUE_ACK)
            route(consumer, &deliveries[i], outcomes[i], &list[n++]);
    int error = n ? rabbitmq_publish(consumer->all->publisher, list, n) : 0;
    free(list);
    return error == 0;
}

static FIBER_FN void settle_batch(struct consumer *consumer, struct item *const *items, const struct queue_delivery *deliveries, unsigned count)
{
    enum queue_verdict outcomes[256];
    unsigned failed = 0;
    for (unsigned i = 0; i < count; i++) {
        outcomes[i] = queue_outcome(&consumer->wanted, &deliveries[i]);
        failed += outcomes[i] != QUEUE_ACK;
    }
    bool sent = !failed || send_on(consumer, deliveries, outcomes, count);
    if (sent) {
        decide(consumer, items[count - 1]->tag, items[count - 1]->epoch, true, false);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        decide(consumer, items[i]->tag, items[i]->epoch, false, outcomes[i] != QUEUE_ACK);
}

static unsigned take_items(struct consumer *consumer, struct item **ret_items, unsigned max)
{
    unsigned count = 0;
    pthread_mutex_lock(&consumer->all->lock);
    while (consumer->first && count < max) {
        ret_items[count++] = consumer->first;
        consumer->first = consumer->first->next;
    }
    if (!consumer->first)
        consumer->last = &consumer->first;
    pthread_mutex_unlock(&consumer->all->lock);
    return count;
}

static bool is_running(struct consumer *consumer)
{
    pthread_mutex_lock(&consumer->all->lock);
    bool running = consumer->state == WANTED || consumer->state == RUNNING;
    pthread_mutex_unlock(&consumer->all->lock);
    return running;
}

static FIBER_FN void work(struct consumer *consumer, struct item **items, unsigned count)
{
    struct queue_delivery *deliveries = calloc(count, sizeof *deliveries);
    struct batch batch = {consumer, deliveries, count};
    for (unsigned i = 0; deliveries && i < count; i++)
        deliveries[i] = items[i]->delivery;
    /* Short of memory: every one counts as failed once, which is the default verdict. */
    if (deliveries && fiber_run_apart(consumer->wanted.queue, handle_batch, &batch) == 0)
        settle_batch(consumer, items, deliveries, count);
    else
        for (unsigned i = 0; i < count; i++)
            decide(consumer, items[i]->tag, items[i]->epoch, false, true);
    free(deliveries);
}

static FIBER_FN void consumer_main(void *arg)
{
    struct consumer *consumer = arg;
    unsigned max = consumer->wanted.batch_max < 256 ? consumer->wanted.batch_max : 256;
    struct item **items = arena_alloc(fiber_arena(), max * sizeof *items);
    while (is_running(consumer)) {
        unsigned count = take_items(consumer, items, max);
        if (!count) {
            wakeup_wait_uninterrupted(&consumer->arrived);
            continue;
        }
        work(consumer, items, count);
        for (unsigned i = 0; i < count; i++)
            free(items[i]);
        __atomic_sub_fetch(&consumer->held, count, __ATOMIC_RELAXED);
    }
    pthread_mutex_lock(&consumer->all->lock);
    consumer->fiber_ended = true;
    pthread_mutex_unlock(&consumer->all->lock);
    ring_thread(consumer->all);
}

/* ---- the thread ---- */

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
        drop_items(consumer);
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
        struct item *item = item_of(consumer, envelope, all->epoch);
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

static bool read_deliveries(struct rabbitmq_consumers *all)
{
    for (int i = 0; i < FRAMES_A_ROUND; i++) {
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
        drop_items(consumer);
        if (consumer->state == RUNNING)
            consumer->state = WANTED;
    }
    pthread_mutex_unlock(&all->lock);
}

static void wait_for_more(struct rabbitmq_consumers *all, int ms)
{
    struct pollfd fds[2] = {{.fd = all->wake, .events = POLLIN}, {.fd = all->link.fd, .events = POLLIN}};
    uint64_t rung;
    if (all->link.up && (amqp_data_in_buffer(all->link.connection) || amqp_frames_enqueued(all->link.connection)))
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
    int error = fiber_start("queue consumer", consumer_main, consumer);
    if (!error && !all->has_thread)
        error = -pthread_create(&all->thread, NULL, consumers_main, all);
    all->has_thread |= !error;
    ring_thread(all);
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
    ring_thread(all);
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
    ring_thread(all);
    if (all->has_thread)
        pthread_join(all->thread, NULL);
    while (all->list) {
        struct consumer *next = all->list->next;
        drop_items(all->list);
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
