/*
 * Group commit. The writer's thread takes every job that waits, runs each body inside a savepoint, and commits once; a body that
 * fails is undone alone. Where SQLite has rolled the whole transaction back (a full disk does that), or the commit fails, each
 * body is run again in a transaction of its own. Nobody is answered before the commit that holds his work.
 *
 * A job lives on the stack of the fiber that waits for it: it is taken off the queue by its fiber while it has not begun, and
 * else its fiber stays parked until the one wake that ends it.
 */
#include "engines/sqlite_lane.h"

#include "base/clock.h"
#include "runtime/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define WAITING_MAX 4096
#define GROUP_MAX 256

struct job {
    struct transaction *tx;
    transaction_body *body;
    void *arg;
    struct fiber *fiber;
    int result;
    bool begun;
    struct job *next;
};

struct sqlite_lane {
    struct sqlite_connection *connection;
    bool writer;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t arrived;
    struct job *first, **last;
    unsigned waiting;
    bool closing;
};

int sqlite_run_alone(struct sqlite_connection *connection, const char *begin, struct transaction *tx, transaction_body *body, void *arg)
{
    int code = sqlite_command(connection, begin);
    if (code < 0)
        return code;
    tx->adapter = connection;
    code = transaction_run_body(tx, body, arg);
    if (code == 0)
        code = sqlite_command(connection, "COMMIT");
    if (code < 0 && !sqlite3_get_autocommit(sqlite_connection_handle(connection)))
        sqlite_command(connection, "ROLLBACK");
    return code;
}

static bool rolled_back(struct sqlite_lane *lane)
{
    return sqlite3_get_autocommit(sqlite_connection_handle(lane->connection));
}

/* One body inside the group; false when the group was lost by it. */
static bool run_in_group(struct sqlite_lane *lane, struct job *job)
{
    struct sqlite_connection *connection = lane->connection;
    if (sqlite_command(connection, "SAVEPOINT body") < 0)
        return false;
    job->tx->adapter = connection;
    job->result = transaction_run_body(job->tx, job->body, job->arg);
    if (rolled_back(lane))
        return false;
    if (job->result < 0 && sqlite_command(connection, "ROLLBACK TO body") < 0)
        return false;
    return sqlite_command(connection, "RELEASE body") == 0;
}

static bool run_group(struct sqlite_lane *lane, struct job *jobs)
{
    if (sqlite_command(lane->connection, "BEGIN IMMEDIATE") < 0)
        return false;
    bool good = true;
    for (struct job *job = jobs; job && good; job = job->next)
        good = run_in_group(lane, job);
    if (good)
        good = sqlite_command(lane->connection, "COMMIT") == 0;
    if (!good && !rolled_back(lane))
        sqlite_command(lane->connection, "ROLLBACK");
    return good;
}

static void run_each(struct sqlite_lane *lane, struct job *jobs)
{
    for (struct job *job = jobs; job; job = job->next)
        job->result = sqlite_run_alone(lane->connection, lane->writer ? "BEGIN IMMEDIATE" : "BEGIN", job->tx, job->body, job->arg);
}

static void run_jobs(struct sqlite_lane *lane, struct job *jobs)
{
    if (!lane->writer || !jobs->next || !run_group(lane, jobs))
        run_each(lane, jobs);
    while (jobs) {
        struct job *next = jobs->next; /* the job is gone once its fiber is woken */
        fiber_wake_from_thread(jobs->fiber);
        jobs = next;
    }
}

/* Called and returns with the lock held. NULL when the lane closes and nothing waits. */
static struct job *take_jobs(struct sqlite_lane *lane)
{
    while (!lane->first && !lane->closing)
        pthread_cond_wait(&lane->arrived, &lane->lock);
    struct job *jobs = lane->first, **last = &lane->first;
    for (unsigned count = lane->writer ? GROUP_MAX : 1; *last && count; count--, last = &(*last)->next) {
        (*last)->begun = true;
        lane->waiting--;
    }
    lane->first = *last;
    *last = NULL;
    if (!lane->first)
        lane->last = &lane->first;
    return jobs;
}

static void *lane_main(void *arg)
{
    struct sqlite_lane *lane = arg;
    struct job *jobs;
    pthread_mutex_lock(&lane->lock);
    while ((jobs = take_jobs(lane))) {
        pthread_mutex_unlock(&lane->lock);
        run_jobs(lane, jobs);
        pthread_mutex_lock(&lane->lock);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

struct sqlite_lane *sqlite_lane_new(struct sqlite_connection *connection, bool writer)
{
    struct sqlite_lane *lane = calloc(1, sizeof *lane);
    if (lane) {
        *lane = (struct sqlite_lane){.connection = connection, .writer = writer, .last = &lane->first};
        pthread_mutex_init(&lane->lock, NULL);
        pthread_cond_init(&lane->arrived, NULL);
        if (pthread_create(&lane->thread, NULL, lane_main, lane) == 0)
            return lane;
        pthread_cond_destroy(&lane->arrived);
        pthread_mutex_destroy(&lane->lock);
        free(lane);
    }
    sqlite_connection_close(connection);
    return NULL;
}

void sqlite_lane_free(struct sqlite_lane *lane)
{
    if (!lane)
        return;
    pthread_mutex_lock(&lane->lock);
    lane->closing = true;
    pthread_cond_signal(&lane->arrived);
    pthread_mutex_unlock(&lane->lock);
    pthread_join(lane->thread, NULL);
    sqlite_connection_close(lane->connection);
    pthread_cond_destroy(&lane->arrived);
    pthread_mutex_destroy(&lane->lock);
    free(lane);
}

static int enqueue(struct sqlite_lane *lane, struct job *job)
{
    pthread_mutex_lock(&lane->lock);
    int code = lane->closing || lane->waiting >= WAITING_MAX ? -EAGAIN : 0;
    if (code == 0) {
        *lane->last = job;
        lane->last = &job->next;
        if (lane->waiting++ == 0)
            pthread_cond_signal(&lane->arrived);
    }
    pthread_mutex_unlock(&lane->lock);
    return code;
}

/* Whether it was still waiting; then it never runs. */
static bool withdraw(struct sqlite_lane *lane, struct job *job)
{
    pthread_mutex_lock(&lane->lock);
    bool waiting = !job->begun;
    if (waiting) {
        struct job **place = &lane->first;
        while (*place != job)
            place = &(*place)->next;
        *place = job->next;
        if (lane->last == &job->next)
            lane->last = place;
        lane->waiting--;
    }
    pthread_mutex_unlock(&lane->lock);
    return waiting;
}

int sqlite_lane_run(struct sqlite_lane *lane, struct transaction *tx, transaction_body *body, void *arg)
{
    struct job job = {.tx = tx, .body = body, .arg = arg, .fiber = fiber_self(), .result = -EIO};
    int code = enqueue(lane, &job);
    if (code < 0)
        return code;
    code = fiber_wait();
    if (code == 0)
        return job.result;
    if (withdraw(lane, &job))
        return code;
    fiber_wait_uninterrupted();
    return job.result;
}
