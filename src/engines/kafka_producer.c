/*
 * Publishing to Kafka: acks=all, idempotent, gapless. One thread polls for delivery reports, makes topics and asks for health. After the first
 * record that could not be delivered nothing behind it may arrive either, or a key's order would be lost: the producer is emptied and made
 * anew, and senders begin again from their outbox. That also replaces a producer that met a fatal error.
 */
#include "engines/kafka.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "runtime/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define POLL_MS 200 /* a topic waits as long to be made, at the start */
#define HEALTH_MS 1000
#define HEALTH_WAIT_MS 500
#define TOPIC_WAIT_MS 5000
#define CLOSE_WAIT_MS 5000
#define TOPICS_MAX 64

/* All records of one call; on its fiber's stack. */
struct job {
    _Atomic unsigned left;
    _Atomic int failed;
    struct wakeup done;
};

struct topic_job {
    struct topic_job *next;
    const char *topic;
    int result;
    struct wakeup done;
};

struct kafka_producer {
    char *brokers;
    pthread_t thread;
    pthread_mutex_t lock; /* of kafka, and of the lists */
    pthread_mutex_t asking; /* held while others ask the broker through kafka, so that it is not replaced; taken before `lock` */
    rd_kafka_t *kafka;    /* NULL while it can't be made */
    _Atomic bool broken;  /* to be replaced */
    _Atomic bool up, stopping;
    bool complained;
    char *topics[TOPICS_MAX];
    unsigned topic_count;
    struct topic_job *topic_jobs;
};

static void on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    (void)kafka, (void)level;
    log_debug("librdkafka", "{s:s, s:s}", "facility", facility, "text", text);
}

void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        log_fatal("librdkafka does not know a setting", "{s:s, s:s}", "name", name, "why", why);
}

static int open_socket(int domain, int type, int protocol, void *opaque)
{
    int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
    if (fd >= 0)
        socket_guard(fd);
    return fd;
}

rd_kafka_conf_t *kafka_conf_new(const char *brokers, char *why, size_t why_size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, why_size) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    kafka_conf_set(conf, "client.id", "purser");
    rd_kafka_conf_set_socket_cb(conf, open_socket);
    kafka_conf_set(conf, "socket.timeout.ms", "6000");
    kafka_conf_set(conf, "reconnect.backoff.ms", "50");
    kafka_conf_set(conf, "reconnect.backoff.max.ms", "1000");
    kafka_conf_set(conf, "topic.metadata.refresh.interval.ms", "10000");
    kafka_conf_set(conf, "broker.address.family", "any");
    return conf;
}

/* ---- delivery ---- */

static void one_done(struct job *job, bool failed)
{
    if (failed)
        job->failed = 1;
    if (--job->left == 0)
        wakeup_ring(&job->done);
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *producer = opaque;
    (void)kafka;
    if (message->err) {
        if (!producer->complained)
            log_warn("kafka did not take a record", "{s:s}", "why", rd_kafka_err2str(message->err));
        producer->complained = true;
        producer->broken = true;
    } else {
        producer->complained = false;
    }
    one_done(message->_private, message->err != 0);
}

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct kafka_producer *producer = opaque;
    char why[256];
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        producer->up = false;
    if (code != RD_KAFKA_RESP_ERR__FATAL)
        return;
    rd_kafka_fatal_error(kafka, why, sizeof why);
    log_warn("the kafka producer met a fatal error and is made anew", "{s:s, s:s}", "why", why, "reason", reason);
    producer->broken = true;
}

static rd_kafka_t *make(struct kafka_producer *producer)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = kafka_conf_new(producer->brokers, why, sizeof why);
    if (!conf) {
        log_error("kafka producer", "{s:s}", "why", why);
        return NULL;
    }
    kafka_conf_set(conf, "acks", "all");
    kafka_conf_set(conf, "enable.idempotence", "true");
    kafka_conf_set(conf, "enable.gapless.guarantee", "true");
    kafka_conf_set(conf, "linger.ms", "2");
    kafka_conf_set(conf, "message.timeout.ms", "10000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!kafka) {
        rd_kafka_conf_destroy(conf);
        log_error("kafka producer", "{s:s}", "why", why);
    }
    return kafka;
}

static int produce(struct kafka_producer *producer, const struct stream_record *record, struct job *job)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    rd_kafka_header_add(headers, "id", -1, record->id ? record->id : "", -1);
    if (record->traceparent)
        rd_kafka_header_add(headers, "traceparent", -1, record->traceparent, -1);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        producer->kafka, RD_KAFKA_V_TOPIC(record->topic), RD_KAFKA_V_KEY(record->key, record->key ? strlen(record->key) : 0),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.at, record->value.size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(job), RD_KAFKA_V_END);
    if (error)
        rd_kafka_headers_destroy(headers);
    return error ? -EAGAIN : 0;
}

FIBER_FN int kafka_publish(struct kafka_producer *producer, const struct stream_record *records, unsigned count)
{
    struct job job = {.left = count};
    for (unsigned i = 0; i < count; i++)
        if (kafka_know_topic(producer, records[i].topic))
            return -EAGAIN;
    pthread_mutex_lock(&producer->lock);
    for (unsigned i = 0; i < count; i++)
        if (!producer->kafka || producer->broken || job.failed || produce(producer, &records[i], &job))
            one_done(&job, true);
    pthread_mutex_unlock(&producer->lock);
    wakeup_wait_uninterrupted(&job.done);
    return job.failed ? -EAGAIN : 0;
}

/* ---- topics ---- */

static bool is_known(struct kafka_producer *producer, const char *topic)
{
    for (unsigned i = 0; i < producer->topic_count; i++)
        if (strcmp(producer->topics[i], topic) == 0)
            return true;
    return false;
}

static bool created(rd_kafka_event_t *event)
{
    size_t count = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics = result ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    if (!count)
        return false;
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(topics[0]);
    return !error || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
}

static int create(struct kafka_producer *producer, const char *name)
{
    char why[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, STREAM_PARTITIONS, -1, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(producer->kafka);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(producer->kafka, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, TOPIC_WAIT_MS, why, sizeof why);
    rd_kafka_CreateTopics(producer->kafka, &topic, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TOPIC_WAIT_MS);
    bool done = event && created(event);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return done ? 0 : -EAGAIN;
}

static void make_topics(struct kafka_producer *producer)
{
    pthread_mutex_lock(&producer->lock);
    struct topic_job *jobs = producer->topic_jobs;
    producer->topic_jobs = NULL;
    pthread_mutex_unlock(&producer->lock);
    while (jobs) {
        struct topic_job *next = jobs->next;
        pthread_mutex_lock(&producer->lock);
        bool known = is_known(producer, jobs->topic);
        pthread_mutex_unlock(&producer->lock);
        jobs->result = known ? 0 : producer->kafka && !producer->stopping ? create(producer, jobs->topic) : -EAGAIN;
        char *copy = jobs->result || known ? NULL : strdup(jobs->topic);
        pthread_mutex_lock(&producer->lock);
        if (copy && producer->topic_count < TOPICS_MAX)
            producer->topics[producer->topic_count++] = copy;
        else
            free(copy);
        pthread_mutex_unlock(&producer->lock);
        wakeup_ring(&jobs->done);
        jobs = next;
    }
}

FIBER_FN int kafka_know_topic(struct kafka_producer *producer, const char *topic)
{
    struct topic_job job = {.topic = topic};
    pthread_mutex_lock(&producer->lock);
    bool known = is_known(producer, topic);
    if (!known) {
        job.next = producer->topic_jobs;
        producer->topic_jobs = &job;
    }
    pthread_mutex_unlock(&producer->lock);
    if (known)
        return 0;
    wakeup_wait_uninterrupted(&job.done);
    return job.result;
}

int kafka_offsets(struct kafka_producer *producer, rd_kafka_topic_partition_list_t *list, int64_t which)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = which;
    pthread_mutex_lock(&producer->asking); /* not `lock`: a worker's loop waits for that one when it publishes */
    pthread_mutex_lock(&producer->lock);
    rd_kafka_t *kafka = producer->kafka;
    pthread_mutex_unlock(&producer->lock);
    int result = kafka && producer->up && !rd_kafka_offsets_for_times(kafka, list, HEALTH_WAIT_MS) ? 0 : -EAGAIN;
    pthread_mutex_unlock(&producer->asking);
    for (int i = 0; i < list->cnt && !result; i++)
        if (list->elems[i].err)
            result = -EAGAIN;
    return result;
}

/* ---- the thread ---- */

static void replace(struct kafka_producer *producer)
{
    pthread_mutex_lock(&producer->asking);
    pthread_mutex_lock(&producer->lock);
    rd_kafka_t *old = producer->kafka;
    producer->kafka = NULL;
    pthread_mutex_unlock(&producer->lock);
    pthread_mutex_unlock(&producer->asking);
    if (old) {
        rd_kafka_purge(old, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(old, CLOSE_WAIT_MS); /* calls on_delivery for each of them */
        rd_kafka_destroy(old);
    }
    rd_kafka_t *fresh = make(producer);
    pthread_mutex_lock(&producer->lock);
    producer->kafka = fresh;
    producer->broken = false;
    pthread_mutex_unlock(&producer->lock);
}

static void ask_health(struct kafka_producer *producer)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error =
        producer->kafka ? rd_kafka_metadata(producer->kafka, 0, NULL, &metadata, HEALTH_WAIT_MS) : RD_KAFKA_RESP_ERR__TRANSPORT;
    bool up = !error && metadata->broker_cnt > 0;
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (up != producer->up)
        log_write(up ? LOG_INFO : LOG_WARN, up ? "kafka answers" : "kafka is away", NULL);
    producer->up = up;
}

static void *producer_main(void *arg)
{
    struct kafka_producer *producer = arg;
    int64_t asked = 0;
    while (!producer->stopping) {
        if (producer->broken || !producer->kafka)
            replace(producer);
        if (clock_mono_ms() - asked >= HEALTH_MS) {
            ask_health(producer);
            asked = clock_mono_ms();
        }
        make_topics(producer);
        if (producer->kafka)
            rd_kafka_poll(producer->kafka, POLL_MS);
    }
    if (producer->kafka) {
        if (producer->broken)
            rd_kafka_purge(producer->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        if (rd_kafka_flush(producer->kafka, CLOSE_WAIT_MS)) {
            rd_kafka_purge(producer->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
            rd_kafka_flush(producer->kafka, CLOSE_WAIT_MS);
        }
        rd_kafka_destroy(producer->kafka);
    }
    make_topics(producer);
    return NULL;
}

struct kafka_producer *kafka_producer_new(const char *brokers)
{
    struct kafka_producer *producer = calloc(1, sizeof *producer);
    if (!producer)
        return NULL;
    producer->brokers = strdup(brokers);
    pthread_mutex_init(&producer->lock, NULL);
    pthread_mutex_init(&producer->asking, NULL);
    if (producer->brokers && pthread_create(&producer->thread, NULL, producer_main, producer) == 0)
        return producer;
    free(producer->brokers);
    free(producer);
    return NULL;
}

void kafka_producer_free(struct kafka_producer *producer)
{
    producer->stopping = true;
    pthread_join(producer->thread, NULL);
    while (producer->topic_count)
        free(producer->topics[--producer->topic_count]);
    pthread_mutex_destroy(&producer->lock);
    pthread_mutex_destroy(&producer->asking);
    free(producer->brokers);
    free(producer);
}

bool kafka_producer_is_up(const struct kafka_producer *producer)
{
    return producer->up;
}
