/*
 * The fiber of one consumer. It takes a batch, has it handled on a fiber of its own, and settles it: what failed is first published to a step of
 * the retry ladder or to the dead letters and only then acknowledged, so that at any moment the message is somewhere.
 *
 * Always holds: where a decision about a message is lost, its connection ends, and the broker delivers it again.
 */
#include "engines/rabbitmq_consumers.h"

#include <stdio.h>
#include <stdlib.h>

#define BACK_PAUSE_MS 500

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
        rabbitmq_consumers_ring(all);
        return;
    }
    *decision = (struct decision){.channel = consumer->channel, .tag = tag, .epoch = epoch, .multiple = multiple, .back = back};
    pthread_mutex_lock(&all->lock);
    *all->last = decision;
    all->last = &decision->next;
    pthread_mutex_unlock(&all->lock);
    rabbitmq_consumers_ring(all);
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
        if (outcomes[i] == QUEUE_ACK)
            decide(consumer, items[i]->tag, items[i]->epoch, false, false);
    fiber_sleep(BACK_PAUSE_MS); /* it is delivered again at once */
    for (unsigned i = 0; i < count; i++)
        if (outcomes[i] != QUEUE_ACK)
            decide(consumer, items[i]->tag, items[i]->epoch, false, true);
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

FIBER_FN void rabbitmq_consumer_main(void *arg)
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
    rabbitmq_consumers_ring(consumer->all);
}
