/*
 * One consumer group's member: a thread that polls, and a fiber that handles. The thread polls again only when the fiber is done with a batch,
 * so that a rebalance (which is served inside a poll) never finds records in hand; positions are committed after the handler, never before.
 * Where a handler fails, its records are kept and given again after a pause, while the partitions rest and polling goes on, or the group
 * would take the member for dead.
 */
#include "engines/kafka_batch.h"
#include "engines/kafka_lags.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A request to join the group that is lost on its way is given up 3 s after this time, and is sent again then; the group waits this long for
 * members that do not join anew. A batch that is handled for longer, as where the answer to a commit is lost, costs the member its place: it gets
 * a new one, and what it has handled comes again and is recognised. Not below the session's time.
 */
#define POLL_INTERVAL_MS "7000"
#define SESSION_MS "6000"
#define POLL_MS 100
#define GATHER_MS 2

struct kafka_consumer {
    char *brokers;
    struct kafka_producer *producer;
    struct stream_consumer wanted;
    const char *topics[STREAM_TOPICS_MAX + 1];
    unsigned topic_count;
    pthread_t thread;
    rd_kafka_t *kafka;
    struct kafka_batch batch;
    struct kafka_lags lags;
    unsigned generation; /* counts rebalances; the thread's alone */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool has_batch, has_result; /* under the lock */
    int result;
    _Atomic bool stopping, thread_ended;
    struct wakeup arrived, ended;
    bool fiber_ended;
};

/* ---- the fiber ---- */

struct call {
    struct kafka_consumer *consumer;
    int result;
};

static FIBER_FN void handle_batch(void *arg)
{
    struct call *call = arg;
    struct kafka_consumer *consumer = call->consumer;
    call->result = consumer->wanted.handle(consumer->wanted.context, consumer->batch.records, consumer->batch.count);
}

static bool take_batch(struct kafka_consumer *consumer)
{
    pthread_mutex_lock(&consumer->lock);
    bool has = consumer->has_batch;
    consumer->has_batch = false;
    pthread_mutex_unlock(&consumer->lock);
    return has;
}

static FIBER_FN void consumer_fiber(void *arg)
{
    struct kafka_consumer *consumer = arg;
    for (const char **topic = consumer->topics; *topic && !consumer->stopping; topic++)
        while (kafka_know_topic(consumer->producer, *topic) && !consumer->stopping)
            fiber_sleep(100);
    while (!consumer->thread_ended) {
        if (!take_batch(consumer)) {
            wakeup_wait_uninterrupted(&consumer->arrived);
            continue;
        }
        struct call call = {consumer, -ENOMEM};
        if (fiber_run_apart(consumer->wanted.group, handle_batch, &call))
            call.result = -ENOMEM;
        pthread_mutex_lock(&consumer->lock);
        consumer->result = call.result;
        consumer->has_result = true;
        pthread_cond_signal(&consumer->answered);
        pthread_mutex_unlock(&consumer->lock);
    }
    consumer->fiber_ended = true;
    wakeup_ring(&consumer->ended);
}

/* ---- the thread ---- */

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct kafka_consumer *consumer = opaque;
    consumer->generation++;
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_assign(kafka, partitions);
        rd_kafka_resume_partitions(kafka, partitions); /* what rested when it was taken away would rest for ever */
        return;
    }
    rd_kafka_commit(kafka, NULL, 0); /* what was handled and stored, before others take over */
    rd_kafka_assign(kafka, NULL);
}

static rd_kafka_t *make(struct kafka_consumer *consumer)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = kafka_conf_new(consumer->brokers, why, sizeof why);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)consumer->topic_count);
    rd_kafka_t *kafka = NULL;
    if (conf) {
        kafka_conf_set(conf, "group.id", consumer->wanted.group);
        kafka_conf_set(conf, "enable.auto.commit", "false");
        kafka_conf_set(conf, "enable.auto.offset.store", "false");
        kafka_conf_set(conf, "auto.offset.reset", "earliest");
        kafka_conf_set(conf, "allow.auto.create.topics", "true");
        kafka_conf_set(conf, "session.timeout.ms", SESSION_MS);
        kafka_conf_set(conf, "max.poll.interval.ms", POLL_INTERVAL_MS);
        kafka_conf_set(conf, "heartbeat.interval.ms", "1000");
        kafka_conf_set(conf, "fetch.error.backoff.ms", "100");
        kafka_conf_set(conf, "queued.max.messages.kbytes", "4096");
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
        rd_kafka_conf_set_opaque(conf, consumer);
        kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
        if (!kafka)
            rd_kafka_conf_destroy(conf);
    }
    if (kafka) {
        rd_kafka_poll_set_consumer(kafka);
        for (unsigned i = 0; i < consumer->topic_count; i++)
            rd_kafka_topic_partition_list_add(topics, consumer->topics[i], RD_KAFKA_PARTITION_UA);
        rd_kafka_subscribe(kafka, topics);
    } else {
        log_error("kafka consumer", "{s:s}", "why", why);
    }
    rd_kafka_topic_partition_list_destroy(topics);
    return kafka;
}

/* Up to batch_max records, waiting for the first; true when there are some. A rebalance in between empties it: those are not ours now. */
static bool gather(struct kafka_consumer *consumer)
{
    struct kafka_batch *batch = &consumer->batch;
    unsigned generation = consumer->generation;
    while (batch->count < consumer->wanted.batch_max) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->kafka, batch->count ? GATHER_MS : POLL_MS);
        if (generation != consumer->generation) {
            kafka_batch_clear(batch);
            generation = consumer->generation;
        }
        if (!message)
            break;
        if (message->err) {
            rd_kafka_message_destroy(message);
            break;
        }
        kafka_batch_add(batch, message);
    }
    return batch->count > 0;
}

/* Gives the batch to the fiber and waits for its word. */
static int handle_on_fiber(struct kafka_consumer *consumer)
{
    pthread_mutex_lock(&consumer->lock);
    consumer->has_batch = true;
    consumer->has_result = false;
    pthread_mutex_unlock(&consumer->lock);
    wakeup_ring(&consumer->arrived);
    pthread_mutex_lock(&consumer->lock);
    while (!consumer->has_result)
        pthread_cond_wait(&consumer->answered, &consumer->lock);
    int result = consumer->result;
    pthread_mutex_unlock(&consumer->lock);
    return result;
}

static void commit_batch(struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *positions = kafka_batch_positions(&consumer->batch);
    rd_kafka_offsets_store(consumer->kafka, positions);
    rd_kafka_commit(consumer->kafka, positions, 1);
    rd_kafka_topic_partition_list_destroy(positions);
}

static void rest(struct kafka_consumer *consumer, bool resting)
{
    rd_kafka_topic_partition_list_t *assigned = NULL;
    if (rd_kafka_assignment(consumer->kafka, &assigned))
        return;
    if (resting)
        rd_kafka_pause_partitions(consumer->kafka, assigned);
    else
        rd_kafka_resume_partitions(consumer->kafka, assigned);
    rd_kafka_topic_partition_list_destroy(assigned);
}

/*
 * Polls for the pause while the partitions rest. False: they are no longer ours, or it ends. What rests brings no records, but the poll that
 * serves a rebalance may go on to the first record of the new assignment: it is kept, since it does not come again.
 */
static bool wait_to_repeat(struct kafka_consumer *consumer, unsigned generation)
{
    int64_t until = clock_mono_ms() + STREAM_PAUSE_MS;
    while (!consumer->stopping && generation == consumer->generation && clock_mono_ms() < until) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->kafka, 50);
        if (generation != consumer->generation)
            kafka_batch_clear(&consumer->batch);
        if (message && !message->err && generation != consumer->generation)
            kafka_batch_add(&consumer->batch, message);
        else if (message)
            rd_kafka_message_destroy(message);
    }
    return !consumer->stopping && generation == consumer->generation;
}

/* Leaves the batch empty, or with what a new assignment has brought already. */
static void handle_until_done(struct kafka_consumer *consumer)
{
    unsigned generation = consumer->generation;
    bool resting = false;
    int result;
    while ((result = handle_on_fiber(consumer)) != 0) {
        if (!resting)
            rest(consumer, true);
        resting = true;
        if (!wait_to_repeat(consumer, generation))
            break;
    }
    if (result == 0)
        commit_batch(consumer);
    if (resting)
        rest(consumer, false);
    if (generation == consumer->generation)
        kafka_batch_clear(&consumer->batch);
}

/* ---- life ---- */

static void *consumer_main(void *arg)
{
    struct kafka_consumer *consumer = arg;
    consumer->kafka = make(consumer);
    while (consumer->kafka && !consumer->stopping) {
        if (gather(consumer))
            handle_until_done(consumer);
        kafka_lags_answer(&consumer->lags, consumer->kafka);
    }
    if (consumer->kafka) {
        rd_kafka_commit(consumer->kafka, NULL, 0);
        rd_kafka_consumer_close(consumer->kafka);
        rd_kafka_destroy(consumer->kafka);
    }
    consumer->thread_ended = true;
    kafka_lags_close(&consumer->lags);
    wakeup_ring(&consumer->arrived);
    return NULL;
}

struct kafka_consumer *kafka_consumer_new(const char *brokers, struct kafka_producer *producer, const struct stream_consumer *wanted)
{
    struct kafka_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return NULL;
    consumer->producer = producer;
    consumer->wanted = *wanted;
    consumer->brokers = strdup(brokers);
    consumer->wanted.group = strdup(wanted->group);
    for (unsigned i = 0; wanted->topics[i] && i < STREAM_TOPICS_MAX; i++)
        consumer->topics[consumer->topic_count++] = strdup(wanted->topics[i]);
    consumer->lags = (struct kafka_lags){
        .producer = producer, .group = consumer->wanted.group, .topics = consumer->topics, .topic_count = consumer->topic_count};
    kafka_lags_init(&consumer->lags);
    pthread_mutex_init(&consumer->lock, NULL);
    pthread_cond_init(&consumer->answered, NULL);
    bool made = consumer->brokers && consumer->wanted.group && kafka_batch_init(&consumer->batch, wanted->batch_max);
    for (unsigned i = 0; i < consumer->topic_count; i++)
        made &= consumer->topics[i] != NULL;
    if (made && pthread_create(&consumer->thread, NULL, consumer_main, consumer) == 0 &&
        fiber_start("stream consumer", consumer_fiber, consumer) == 0)
        return consumer;
    log_error("a stream consumer could not be started", "{s:s}", "group", wanted->group);
    return NULL; /* at start, and then the process ends */
}

FIBER_FN void kafka_consumer_stop(struct kafka_consumer *consumer)
{
    consumer->stopping = true;
    if (!consumer->fiber_ended)
        wakeup_wait_uninterrupted(&consumer->ended);
}

FIBER_FN int kafka_consumer_lags(struct kafka_consumer *consumer, struct arena *arena, json_t *list)
{
    return consumer->stopping ? -EAGAIN : kafka_lags_ask(&consumer->lags, arena, list);
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
    pthread_join(consumer->thread, NULL);
    kafka_batch_fini(&consumer->batch);
    for (unsigned i = 0; i < consumer->topic_count; i++)
        free((char *)(uintptr_t)consumer->topics[i]);
    free((char *)(uintptr_t)consumer->wanted.group);
    free(consumer->brokers);
    kafka_lags_fini(&consumer->lags);
    pthread_mutex_destroy(&consumer->lock);
    pthread_cond_destroy(&consumer->answered);
    free(consumer);
}
