/*
 * The publishing half: one thread takes all jobs that wait and has them published (rabbitmq_round.c). A job is done when each of its messages
 * is confirmed. What the broker refuses is published again, a few times with a growing pause, while other jobs go on; a job that is still
 * refused then, and all jobs when the connection breaks or the broker has an alarm, have failed, and their senders send them again (receivers
 * know repeats by their id).
 */
#include "engines/rabbitmq_round.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_MS 500
#define PAUSE_MAX_MS 1000
#define REFUSALS_MAX 10
#define REFUSED_PAUSE_MS 10
#define REFUSED_PAUSE_MAX_MS 500

struct rabbitmq_publisher {
    struct rabbitmq_link link;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct rabbitmq_job *first, **last; /* under the lock */
    struct rabbitmq_job *refused;       /* wait for their pause; the thread's alone */
    bool stopping;
};

/* ---- jobs ---- */

static bool answer_counts(struct rabbitmq_link *link, struct rabbitmq_job *jobs)
{
    for (struct rabbitmq_job *job = jobs; job; job = job->next)
        for (unsigned i = 0; job->counts && i < job->count; i++) {
            const struct rabbitmq_outgoing *out = &job->list[i];
            job->counts[i] = rabbitmq_declare(link, RABBITMQ_DECLARE_CHANNEL, out->queue, out->back_to, out->pause_ms);
            if (job->counts[i] < 0)
                return false;
            job->left--;
        }
    return true;
}

/* Moves those that are due to `end`, as far as there is room for their messages; its new end. */
static struct rabbitmq_job **take_due(struct rabbitmq_job **list, struct rabbitmq_job **end, int64_t now_mono_ms, unsigned *room)
{
    while (*list && (*list)->count <= *room) {
        struct rabbitmq_job *job = *list;
        if (job->due_mono_ms > now_mono_ms) {
            list = &job->next;
            continue;
        }
        *list = job->next;
        *room -= job->count;
        *end = job;
        end = &job->next;
    }
    *end = NULL;
    return end;
}

/* Jobs of at most a round's messages; a larger job is cut by its sender. */
static struct rabbitmq_job *take_jobs(struct rabbitmq_publisher *publisher)
{
    struct rabbitmq_job *taken = NULL, **end = &taken;
    unsigned room = RABBITMQ_ROUND_MESSAGES;
    int64_t now = clock_mono_ms();
    end = take_due(&publisher->refused, end, now, &room);
    take_due(&publisher->first, end, now, &room);
    if (!publisher->first)
        publisher->last = &publisher->first;
    return taken;
}

/* The job is its fiber's then, which goes on. */
static void finish(struct rabbitmq_job *job, int result)
{
    job->result = result;
    wakeup_ring(&job->done);
}

static void put_off(struct rabbitmq_publisher *publisher, struct rabbitmq_job *job)
{
    int64_t pause = REFUSED_PAUSE_MS << job->refusals++;
    job->due_mono_ms = clock_mono_ms() + (pause < REFUSED_PAUSE_MAX_MS ? pause : REFUSED_PAUSE_MAX_MS);
    job->next = publisher->refused;
    publisher->refused = job;
}

static void note_refused(struct rabbitmq_link *link, const struct rabbitmq_job *job)
{
    unsigned at = 0;
    while (job->confirmed[at])
        at++;
    log_warn("rabbitmq refuses messages", "{s:s, s:I}", "queue", job->list[at].queue, "messages", (json_int_t)job->left);
    __atomic_store_n(&link->refused_mono_ms, clock_mono_ms(), __ATOMIC_RELEASE);
}

/* After a round: what is left of a job was refused, and comes again unless that was often. */
static void settle_jobs(struct rabbitmq_publisher *publisher, struct rabbitmq_job *jobs)
{
    while (jobs) {
        struct rabbitmq_job *job = jobs;
        jobs = job->next;
        bool refused = job->left && !publisher->link.blocked;
        if (refused && job->refusals < REFUSALS_MAX) {
            put_off(publisher, job);
            continue;
        }
        if (refused)
            note_refused(&publisher->link, job);
        finish(job, job->left ? -EAGAIN : 0);
    }
}

/* The connection is gone: what is not confirmed has failed. */
static void fail_jobs(struct rabbitmq_job *jobs)
{
    while (jobs) {
        struct rabbitmq_job *job = jobs;
        jobs = job->next;
        finish(job, job->left ? -EAGAIN : 0);
    }
}

/* ---- the thread ---- */

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
    link->published = 0;
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

static int64_t wait_ms_of(const struct rabbitmq_publisher *publisher)
{
    int64_t wait = publisher->link.up ? IDLE_MS : 1, now = clock_mono_ms();
    for (const struct rabbitmq_job *job = publisher->refused; job; job = job->next)
        if (job->due_mono_ms - now < wait)
            wait = job->due_mono_ms > now ? job->due_mono_ms - now : 0;
    return wait;
}

/* Waits under the lock until jobs have come, a refused one is due, or it ends. */
static void wait_for_jobs(struct rabbitmq_publisher *publisher)
{
    int64_t ms = wait_ms_of(publisher);
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

/* False: the connection is of no use any more. */
static bool run_round(struct rabbitmq_link *link, struct rabbitmq_job *jobs)
{
    rabbitmq_busy(link, true);
    bool done = jobs && !link->blocked ? answer_counts(link, jobs) && rabbitmq_round_publish(link, jobs) : rabbitmq_round_idle(link);
    rabbitmq_busy(link, false);
    amqp_maybe_release_buffers(link->connection);
    return done;
}

static void *publisher_main(void *arg)
{
    struct rabbitmq_publisher *publisher = arg;
    struct rabbitmq_link *link = &publisher->link;
    for (;;) {
        pthread_mutex_lock(&publisher->lock);
        wait_for_jobs(publisher);
        bool stopping = publisher->stopping && !publisher->first && !publisher->refused;
        struct rabbitmq_job *jobs = take_jobs(publisher);
        pthread_mutex_unlock(&publisher->lock);
        if (stopping)
            break;
        bool was_up = be_connected(publisher);
        if (was_up && run_round(link, jobs)) {
            settle_jobs(publisher, jobs);
            continue;
        }
        fail_jobs(jobs);
        fail_jobs(publisher->refused);
        publisher->refused = NULL;
        if (was_up)
            rabbitmq_disconnect(link);
        else
            rest(link);
    }
    rabbitmq_disconnect(link);
    return NULL;
}

static FIBER_FN int run_job(struct rabbitmq_publisher *publisher, struct rabbitmq_job *job)
{
    if (!rabbitmq_takes(&publisher->link))
        return -EAGAIN; /* nobody waits for a broker that is known to be away, or to read nothing */
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
        unsigned left = count - done, some = left < RABBITMQ_ROUND_MESSAGES ? left : RABBITMQ_ROUND_MESSAGES;
        struct rabbitmq_job job = {.list = list + done, .count = some, .left = some};
        int error = run_job(publisher, &job);
        if (error)
            return error;
        done += job.count;
    }
    return 0;
}

FIBER_FN int rabbitmq_count(struct rabbitmq_publisher *publisher, const struct rabbitmq_outgoing *list, unsigned count, int64_t *ret_counts)
{
    struct rabbitmq_job job = {.list = list, .count = count, .left = count, .counts = ret_counts};
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
