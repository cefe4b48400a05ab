/*
 * The publishing half: one thread takes all jobs that wait, writes their messages, and waits for the broker's confirms of them all. A job is
 * done when each of its messages is confirmed; when the connection breaks, a message is returned or refused, it has failed as a whole, and its
 * sender sends it again (receivers know repeats by their id).
 */
#include "engines/rabbitmq.h"

#include "base/clock.h"
#include "base/log.h"

#include <amqp_framing.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUND_MESSAGES 512
#define CONFIRM_MS 10000
#define IDLE_MS 500
#define PAUSE_MAX_MS 1000

struct job {
    struct job *next;
    const struct rabbitmq_outgoing *list;
    unsigned count;
    int64_t *counts; /* a question for depths; NULL: publish */
    int result;
    struct wakeup done;
};

struct rabbitmq_publisher {
    struct rabbitmq_link link;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, **last; /* under the lock */
    bool stopping;
    uint64_t published; /* delivery tags on this connection */
};

/* ---- one message ---- */

static bool is_known(struct rabbitmq_link *link, const char *queue)
{
    for (unsigned i = 0; i < link->known_count; i++)
        if (strcmp(link->known[i], queue) == 0)
            return true;
    return false;
}

/* Declares a queue at its first use on this connection, so that nothing is published to where nobody has been yet. */
static bool know(struct rabbitmq_link *link, const struct rabbitmq_outgoing *out)
{
    if (is_known(link, out->queue))
        return true;
    if (*out->back_to && !is_known(link, out->back_to) && rabbitmq_declare(link, RABBITMQ_DECLARE_CHANNEL, out->back_to, "", 0) < 0)
        return false;
    if (rabbitmq_declare(link, RABBITMQ_DECLARE_CHANNEL, out->queue, out->back_to, out->pause_ms) < 0)
        return false;
    char *copy = strdup(out->queue);
    if (copy && link->known_count < sizeof link->known / sizeof *link->known)
        link->known[link->known_count++] = copy;
    else
        free(copy);
    return true;
}

static amqp_bytes_t bytes_of(const char *string)
{
    return string ? amqp_cstring_bytes(string) : amqp_empty_bytes;
}

static bool send_one(struct rabbitmq_publisher *publisher, const struct rabbitmq_outgoing *out)
{
    const struct queue_message *message = out->message;
    amqp_table_entry_t entries[3];
    int count = 0;
    entries[count++] = (amqp_table_entry_t){
        .key = amqp_cstring_bytes("x-attempt"), .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = (int32_t)out->attempt}};
    if (out->error)
        entries[count++] = (amqp_table_entry_t){.key = amqp_cstring_bytes("x-error"),
                                                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(out->error)}};
    if (message->traceparent)
        entries[count++] =
            (amqp_table_entry_t){.key = amqp_cstring_bytes("traceparent"),
                                 .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(message->traceparent)}};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  (message->correlation_id ? AMQP_BASIC_CORRELATION_ID_FLAG : 0) | (message->reply_to ? AMQP_BASIC_REPLY_TO_FLAG : 0),
        .content_type = amqp_cstring_bytes("application/cloudevents+json"),
        .delivery_mode = 2,
        .message_id = bytes_of(message->id),
        .correlation_id = bytes_of(message->correlation_id),
        .reply_to = bytes_of(message->reply_to),
        .headers = {.num_entries = count, .entries = entries},
    };
    amqp_bytes_t body = {.len = message->body.size, .bytes = (void *)(uintptr_t)message->body.at};
    int status = amqp_basic_publish(publisher->link.connection, RABBITMQ_PUBLISH_CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(out->queue), 1, 0,
                                    &properties, body);
    publisher->published += status == AMQP_STATUS_OK;
    return status == AMQP_STATUS_OK;
}

/* ---- confirms of a round: all tags after `before` up to published ---- */

struct round {
    uint64_t before;
    uint64_t waiting;
    bool settled[ROUND_MESSAGES];
    bool refused;
};

static void settle(struct round *round, uint64_t tag, bool multiple)
{
    uint64_t first = multiple ? round->before + 1 : tag;
    for (uint64_t at = first; at <= tag; at++) {
        if (at <= round->before || at - round->before > ROUND_MESSAGES || round->settled[at - round->before - 1])
            continue;
        round->settled[at - round->before - 1] = true;
        round->waiting--;
    }
}

/* The returned message's content follows its method; it is read and dropped. */
static bool drop_returned(struct rabbitmq_link *link)
{
    amqp_message_t message;
    amqp_rpc_reply_t reply = amqp_read_message(link->connection, RABBITMQ_PUBLISH_CHANNEL, &message, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return false;
    amqp_destroy_message(&message);
    return true;
}

/* One frame. False: the connection is of no use any more. */
static bool take_frame(struct rabbitmq_publisher *publisher, struct round *round, int64_t until)
{
    amqp_frame_t frame;
    int64_t left = until - clock_mono_ms();
    struct timeval wait = {.tv_sec = left > 0 ? left / 1000 : 0, .tv_usec = left > 0 ? left % 1000 * 1000 : 0};
    int status = amqp_simple_wait_frame_noblock(publisher->link.connection, &frame, &wait);
    if (status == AMQP_STATUS_TIMEOUT)
        return round == NULL;
    if (status != AMQP_STATUS_OK)
        return false;
    if (frame.frame_type != AMQP_FRAME_METHOD)
        return true;
    switch (frame.payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: {
        amqp_basic_ack_t *ack = frame.payload.method.decoded;
        if (round)
            settle(round, ack->delivery_tag, ack->multiple);
        return true;
    }
    case AMQP_BASIC_NACK_METHOD: {
        amqp_basic_nack_t *nack = frame.payload.method.decoded;
        if (round) {
            round->refused = true;
            settle(round, nack->delivery_tag, nack->multiple);
        }
        return true;
    }
    case AMQP_BASIC_RETURN_METHOD:
        if (round)
            round->refused = true;
        return drop_returned(&publisher->link);
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        return false;
    default:
        return true;
    }
}

/* ---- jobs ---- */

static bool publish_all(struct rabbitmq_publisher *publisher, struct job *jobs)
{
    struct round round = {.before = publisher->published};
    for (struct job *job = jobs; job; job = job->next)
        for (unsigned i = 0; !job->counts && i < job->count; i++)
            if (!know(&publisher->link, &job->list[i]) || !send_one(publisher, &job->list[i]))
                return false;
    round.waiting = publisher->published - round.before;
    int64_t until = clock_mono_ms() + CONFIRM_MS;
    while (round.waiting)
        if (!take_frame(publisher, &round, until))
            return false;
    if (!round.refused)
        return true;
    /* A queue has gone, or is full: whoever sends again declares it anew. */
    while (publisher->link.known_count)
        free(publisher->link.known[--publisher->link.known_count]);
    return false;
}

static bool answer_counts(struct rabbitmq_publisher *publisher, struct job *jobs)
{
    for (struct job *job = jobs; job; job = job->next)
        for (unsigned i = 0; job->counts && i < job->count; i++) {
            job->counts[i] = rabbitmq_declare(&publisher->link, RABBITMQ_DECLARE_CHANNEL, job->list[i].queue, job->list[i].back_to, job->list[i].pause_ms);
            if (job->counts[i] < 0)
                return false;
        }
    return true;
}

/* Jobs of at most a round's messages; a larger job is cut by its sender. */
static struct job *take_jobs(struct rabbitmq_publisher *publisher)
{
    struct job *taken = publisher->first, **end = &taken;
    unsigned messages = 0;
    while (*end && messages + (*end)->count <= ROUND_MESSAGES) {
        messages += (*end)->count;
        end = &(*end)->next;
    }
    publisher->first = *end;
    if (!publisher->first)
        publisher->last = &publisher->first;
    *end = NULL;
    return taken;
}

static void finish_jobs(struct job *jobs, int result)
{
    while (jobs) {
        struct job *next = jobs->next; /* the job is its fiber's, which goes on now */
        jobs->result = result;
        wakeup_ring(&jobs->done);
        jobs = next;
    }
}

static bool open_channels(struct rabbitmq_publisher *publisher)
{
    struct rabbitmq_link *link = &publisher->link;
    amqp_channel_open(link->connection, RABBITMQ_PUBLISH_CHANNEL);
    if (!rabbitmq_succeeded(link, "opening a channel"))
        return false;
    amqp_confirm_select(link->connection, RABBITMQ_PUBLISH_CHANNEL);
    if (!rabbitmq_succeeded(link, "asking for confirms"))
        return false;
    amqp_channel_open(link->connection, RABBITMQ_DECLARE_CHANNEL);
    publisher->published = 0;
    return rabbitmq_succeeded(link, "opening a channel");
}

static bool be_connected(struct rabbitmq_publisher *publisher)
{
    struct rabbitmq_link *link = &publisher->link;
    if (link->up)
        return true;
    if (rabbitmq_connect(link) == 0 && open_channels(publisher)) {
        link->pause_ms = 0;
        __atomic_store_n(&link->up, true, __ATOMIC_RELEASE);
        return true;
    }
    rabbitmq_disconnect(link);
    return false;
}

/* Waits for jobs under the lock; true: some are there or it ends. */
static void wait_for_jobs(struct rabbitmq_publisher *publisher, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (!publisher->first && !publisher->stopping)
        pthread_cond_timedwait(&publisher->wake, &publisher->lock, &until);
}

static void rest(struct rabbitmq_link *link)
{
    link->pause_ms = !link->pause_ms ? 50 : link->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : link->pause_ms * 2;
    struct timespec pause = {.tv_sec = link->pause_ms / 1000, .tv_nsec = link->pause_ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void *publisher_main(void *arg)
{
    struct rabbitmq_publisher *publisher = arg;
    struct rabbitmq_link *link = &publisher->link;
    for (;;) {
        pthread_mutex_lock(&publisher->lock);
        wait_for_jobs(publisher, link->up ? IDLE_MS : 1);
        bool stopping = publisher->stopping && !publisher->first;
        struct job *jobs = take_jobs(publisher);
        pthread_mutex_unlock(&publisher->lock);
        if (stopping)
            break;
        bool was_up = be_connected(publisher);
        rabbitmq_busy(link, true);
        bool done = was_up && (jobs ? answer_counts(publisher, jobs) && publish_all(publisher, jobs) : take_frame(publisher, NULL, clock_mono_ms()));
        rabbitmq_busy(link, false);
        if (link->connection)
            amqp_maybe_release_buffers(link->connection);
        finish_jobs(jobs, done ? 0 : -EAGAIN);
        if (was_up && !done)
            rabbitmq_disconnect(link);
        else if (!was_up)
            rest(link);
    }
    rabbitmq_disconnect(link);
    return NULL;
}

static FIBER_FN int run_job(struct rabbitmq_publisher *publisher, struct job *job)
{
    if (!job->counts && !__atomic_load_n(&publisher->link.up, __ATOMIC_ACQUIRE))
        return -EAGAIN; /* nobody waits for a broker that is known to be away */
    pthread_mutex_lock(&publisher->lock);
    *publisher->last = job;
    publisher->last = &job->next;
    pthread_cond_signal(&publisher->wake);
    pthread_mutex_unlock(&publisher->lock);
    wakeup_wait_uninterrupted(&job->done);
    return job->result;
}

FIBER_FN int rabbitmq_publish(struct rabbitmq_publisher *publisher, const struct rabbitmq_outgoing *list, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        struct job job = {.list = list + done, .count = count - done < ROUND_MESSAGES ? count - done : ROUND_MESSAGES};
        int error = run_job(publisher, &job);
        if (error)
            return error;
        done += job.count;
    }
    return 0;
}

FIBER_FN int rabbitmq_count(struct rabbitmq_publisher *publisher, const struct rabbitmq_outgoing *list, unsigned count, int64_t *ret_counts)
{
    struct job job = {.list = list, .count = count, .counts = ret_counts};
    if (!__atomic_load_n(&publisher->link.up, __ATOMIC_ACQUIRE))
        return -EAGAIN;
    return count ? run_job(publisher, &job) : 0;
}

struct rabbitmq_publisher *rabbitmq_publisher_new(const char *url)
{
    struct rabbitmq_publisher *publisher = calloc(1, sizeof *publisher);
    if (!publisher)
        return NULL;
    publisher->link.url = url;
    publisher->last = &publisher->first;
    pthread_mutex_init(&publisher->lock, NULL);
    pthread_cond_init(&publisher->wake, NULL);
    if (pthread_create(&publisher->thread, NULL, publisher_main, publisher)) {
        free(publisher);
        return NULL;
    }
    return publisher;
}

void rabbitmq_publisher_free(struct rabbitmq_publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    publisher->stopping = true;
    pthread_cond_signal(&publisher->wake);
    pthread_mutex_unlock(&publisher->lock);
    pthread_join(publisher->thread, NULL);
    pthread_mutex_destroy(&publisher->lock);
    pthread_cond_destroy(&publisher->wake);
    free(publisher);
}

struct rabbitmq_link *rabbitmq_publisher_link(struct rabbitmq_publisher *publisher)
{
    return &publisher->link;
}
