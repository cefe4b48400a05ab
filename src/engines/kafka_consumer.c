/*
 * One consumer group's member: a thread that polls, and a fiber that handles. The thread polls again only when the fiber is done with a batch,
 * so that a rebalance (which is served inside a poll) never finds records in hand; positions are committed after the handler, never before.
 * Where a handler fails, its records are kept and given again after a pause, while the partitions rest and polling goes on, or the group
 * would take the member for dead.
 */
#include "engines/kafka.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 100
#define GATHER_MS 2
#define LAG_WAIT_MS 1500
#define COMMITTED_WAIT_MS 1000

struct batch {
    rd_kafka_message_t **messages;
    struct stream_record *records;
    char **texts; /* three a record: key, id, traceparent; NUL-terminated copies */
    unsigned count;
};

struct lag {
    int64_t lag, end;
};

struct kafka_consumer {
    char *brokers;
    struct kafka_producer *producer;
    struct stream_consumer wanted;
    const char *topics[STREAM_TOPICS_MAX + 1];
    unsigned topic_count;
    pthread_t thread;
    rd_kafka_t *kafka;
    struct batch batch;
    unsigned generation; /* counts rebalances; the thread's alone */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool has_batch, has_result; /* under the lock */
    int result;
    _Atomic bool stopping, thread_ended;
    struct wakeup arrived, ended;
    bool fiber_ended;
    struct worker *worker;
    /* lags, under the lock */
    bool lags_wanted;
    int lags_result;
    struct lag lags[STREAM_TOPICS_MAX];
    struct wakeup *lags_asker;
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

/* ---- batches ---- */

static char *copy(const void *at, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return NULL;
    if (size)
        memcpy(text, at, size);
    text[size] = '\0';
    return text;
}

static char *header_copy(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) || rd_kafka_header_get_last(headers, name, &value, &size))
        return NULL;
    return copy(value, size);
}

/* At the end of the batch, which owns the message from here on. */
static void keep(struct batch *batch, rd_kafka_message_t *message)
{
    unsigned i = batch->count++;
    char **texts = &batch->texts[3 * i];
    batch->messages[i] = message;
    texts[0] = copy(message->key, message->key_len);
    texts[1] = header_copy(message, "id");
    texts[2] = header_copy(message, "traceparent");
    batch->records[i] = (struct stream_record){
        .topic = rd_kafka_topic_name(message->rkt),
        .key = texts[0] ? texts[0] : "",
        .id = texts[1] ? texts[1] : "",
        .traceparent = texts[2],
        .value = {message->payload, message->len},
        .partition = message->partition,
        .offset = message->offset,
    };
}

static void drop_batch(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        rd_kafka_message_destroy(batch->messages[i]);
        for (unsigned k = 0; k < 3; k++)
            free(batch->texts[3 * i + k]);
    }
    batch->count = 0;
}

static bool batch_init(struct batch *batch, unsigned max)
{
    batch->messages = calloc(max, sizeof *batch->messages);
    batch->records = calloc(max, sizeof *batch->records);
    batch->texts = calloc(3 * (size_t)max, sizeof *batch->texts);
    return batch->messages && batch->records && batch->texts;
}

static void batch_fini(struct batch *batch)
{
    drop_batch(batch);
    free(batch->messages);
    free(batch->records);
    free(batch->texts);
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
        kafka_conf_set(conf, "session.timeout.ms", "6000");
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
    struct batch *batch = &consumer->batch;
    unsigned generation = consumer->generation;
    while (batch->count < consumer->wanted.batch_max) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->kafka, batch->count ? GATHER_MS : POLL_MS);
        if (generation != consumer->generation) {
            drop_batch(batch);
            generation = consumer->generation;
        }
        if (!message)
            break;
        if (message->err) {
            rd_kafka_message_destroy(message);
            break;
        }
        keep(batch, message);
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
    struct batch *batch = &consumer->batch;
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new((int)batch->count);
    for (unsigned i = 0; i < batch->count; i++) {
        rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_find(offsets, batch->records[i].topic, batch->records[i].partition);
        if (!at)
            at = rd_kafka_topic_partition_list_add(offsets, batch->records[i].topic, batch->records[i].partition);
        at->offset = batch->records[i].offset + 1;
    }
    rd_kafka_offsets_store(consumer->kafka, offsets);
    rd_kafka_commit(consumer->kafka, offsets, 1);
    rd_kafka_topic_partition_list_destroy(offsets);
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
            drop_batch(&consumer->batch);
        if (message && !message->err && generation != consumer->generation)
            keep(&consumer->batch, message);
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
        drop_batch(&consumer->batch);
}

/* ---- lags ---- */

/* Those of which nothing is committed were not read from where they begin. */
static int begin_uncommitted(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *committed)
{
    rd_kafka_topic_partition_list_t *begins = rd_kafka_topic_partition_list_new(STREAM_PARTITIONS);
    for (int i = 0; i < committed->cnt; i++)
        if (committed->elems[i].offset < 0)
            rd_kafka_topic_partition_list_add(begins, committed->elems[i].topic, committed->elems[i].partition);
    int result = begins->cnt ? kafka_offsets(consumer->producer, begins, RD_KAFKA_OFFSET_BEGINNING) : 0;
    for (int i = 0; i < begins->cnt && !result; i++)
        rd_kafka_topic_partition_list_set_offset(committed, begins->elems[i].topic, begins->elems[i].partition, begins->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(begins);
    return result;
}

static void add_lags(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *committed,
                     const rd_kafka_topic_partition_list_t *ends, struct lag *lags)
{
    for (int i = 0; i < committed->cnt; i++)
        for (unsigned k = 0; k < consumer->topic_count; k++)
            if (strcmp(consumer->topics[k], committed->elems[i].topic) == 0) {
                lags[k].end += ends->elems[i].offset;
                lags[k].lag += ends->elems[i].offset - committed->elems[i].offset;
            }
}

/* Two or three questions for all partitions together, with a time of their own each. */
static int compute_lags(struct kafka_consumer *consumer, struct lag *lags)
{
    rd_kafka_topic_partition_list_t *committed = rd_kafka_topic_partition_list_new(STREAM_PARTITIONS);
    for (unsigned i = 0; i < consumer->topic_count; i++)
        rd_kafka_topic_partition_list_add_range(committed, consumer->topics[i], 0, STREAM_PARTITIONS - 1);
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_copy(committed);
    int result = rd_kafka_committed(consumer->kafka, committed, COMMITTED_WAIT_MS) ? -EAGAIN : 0;
    if (!result)
        result = begin_uncommitted(consumer, committed);
    if (!result) /* last, so that no lag is below zero */
        result = kafka_offsets(consumer->producer, ends, RD_KAFKA_OFFSET_END);
    if (!result)
        add_lags(consumer, committed, ends, lags);
    rd_kafka_topic_partition_list_destroy(ends);
    rd_kafka_topic_partition_list_destroy(committed);
    return result;
}

static void answer_lags(struct kafka_consumer *consumer, bool ending)
{
    pthread_mutex_lock(&consumer->lock);
    bool wanted = consumer->lags_wanted;
    pthread_mutex_unlock(&consumer->lock);
    if (!wanted)
        return;
    struct lag lags[STREAM_TOPICS_MAX] = {0};
    int result = ending ? -EAGAIN : compute_lags(consumer, lags);
    pthread_mutex_lock(&consumer->lock);
    consumer->lags_wanted = false;
    consumer->lags_result = result;
    memcpy(consumer->lags, lags, sizeof lags);
    struct wakeup *asker = consumer->lags_asker;
    consumer->lags_asker = NULL;
    if (asker)
        wakeup_ring(asker);
    pthread_mutex_unlock(&consumer->lock);
}

FIBER_FN int kafka_consumer_lags(struct kafka_consumer *consumer, struct arena *arena, json_t *list)
{
    struct wakeup asked = {0};
    pthread_mutex_lock(&consumer->lock);
    bool free_now = !consumer->lags_wanted && !consumer->stopping;
    if (free_now) {
        consumer->lags_wanted = true;
        consumer->lags_asker = &asked;
    }
    pthread_mutex_unlock(&consumer->lock);
    if (!free_now)
        return -EAGAIN;
    int waited = wakeup_wait(&asked, clock_mono_ms() + LAG_WAIT_MS);
    pthread_mutex_lock(&consumer->lock);
    if (consumer->lags_asker == &asked)
        consumer->lags_asker = NULL; /* whoever answers has nobody to wake */
    int result = waited ? -EAGAIN : consumer->lags_result;
    pthread_mutex_unlock(&consumer->lock);
    for (unsigned i = 0; !result && i < consumer->topic_count; i++)
        json_add(list, json_make(arena, "{s:s, s:s, s:I, s:I}", "topic", consumer->topics[i], "group", consumer->wanted.group, "lag",
                                          (json_int_t)consumer->lags[i].lag, "end", (json_int_t)consumer->lags[i].end));
    return result;
}

/* ---- life ---- */

static void *consumer_main(void *arg)
{
    struct kafka_consumer *consumer = arg;
    consumer->kafka = make(consumer);
    while (consumer->kafka && !consumer->stopping) {
        if (gather(consumer))
            handle_until_done(consumer);
        answer_lags(consumer, false);
    }
    if (consumer->kafka) {
        rd_kafka_commit(consumer->kafka, NULL, 0);
        rd_kafka_consumer_close(consumer->kafka);
        rd_kafka_destroy(consumer->kafka);
    }
    consumer->thread_ended = true;
    answer_lags(consumer, true);
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
    pthread_mutex_init(&consumer->lock, NULL);
    pthread_cond_init(&consumer->answered, NULL);
    bool made = consumer->brokers && consumer->wanted.group && batch_init(&consumer->batch, wanted->batch_max);
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

void kafka_consumer_free(struct kafka_consumer *consumer)
{
    pthread_join(consumer->thread, NULL);
    batch_fini(&consumer->batch);
    for (unsigned i = 0; i < consumer->topic_count; i++)
        free((char *)(uintptr_t)consumer->topics[i]);
    free((char *)(uintptr_t)consumer->wanted.group);
    free(consumer->brokers);
    pthread_mutex_destroy(&consumer->lock);
    pthread_cond_destroy(&consumer->answered);
    free(consumer);
}
