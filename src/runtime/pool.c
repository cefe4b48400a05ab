/*
 * Threads for work that blocks. A job lies on its fiber's stack and so does the mail that says it is done: nothing is allocated, and
 * the fiber can't end before the worker's loop has seen the mail.
 */
#include "runtime/pool.h"

#include "base/memory.h"
#include "runtime/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum job_state { WAITING, BEGUN };

struct job {
    struct job *next;
    enum job_state state; /* under the pool's lock */
    void (*work)(void *arg);
    void *arg;
    struct fiber *fiber;
    struct worker *worker;
    struct mail mail;
    bool done; /* the worker's thread alone */
};

struct pool {
    const char *name;
    unsigned threads, waiting, waiting_max;
    bool ending;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, **last;
    pthread_t thread[];
};

static void job_done(void *arg)
{
    struct job *job = arg;
    job->done = true;
    fiber_wake(job->fiber);
}

/* NULL when the pool ends. */
static struct job *take_job(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->ending)
        pthread_cond_wait(&pool->more, &pool->lock);
    struct job *job = pool->first;
    if (job) {
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->waiting--;
        job->state = BEGUN;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *thread_main(void *arg)
{
    struct pool *pool = arg;
    struct job *job;
    pthread_setname_np(pthread_self(), pool->name);
    while ((job = take_job(pool))) {
        job->work(job->arg);
        worker_send(job->worker, &job->mail);
    }
    return NULL;
}

static void end_threads(struct pool *pool, unsigned started)
{
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < started; i++)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct pool *pool_new(const char *name, unsigned threads, unsigned waiting_max)
{
    struct pool *pool = memory_get_zeroed(sizeof *pool + threads * sizeof pool->thread[0]);
    if (!pool)
        return NULL;
    pool->name = name;
    pool->threads = threads;
    pool->waiting_max = waiting_max;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&pool->thread[i], NULL, thread_main, pool)) {
            end_threads(pool, i);
            return NULL;
        }
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool)
        end_threads(pool, pool->threads);
}

/* Jobs that a free thread will take at once count as waiting too until it has; so a limit of 0 is a limit of the threads' number. */
static int add_job(struct pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool full = pool->waiting >= pool->waiting_max + pool->threads || pool->ending;
    if (!full) {
        *pool->last = job;
        pool->last = &job->next;
        pool->waiting++;
        pthread_cond_signal(&pool->more);
    }
    pthread_mutex_unlock(&pool->lock);
    return full ? -EBUSY : 0;
}

/* Takes a job back that no thread has begun. */
static bool remove_job(struct pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool waiting = job->state == WAITING;
    if (waiting) {
        struct job **at = &pool->first;
        while (*at != job)
            at = &(*at)->next;
        *at = job->next;
        if (!*at)
            pool->last = at;
        pool->waiting--;
    }
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}

int pool_run(struct pool *pool, void (*work)(void *arg), void *arg)
{
    struct job job = {.work = work, .arg = arg, .fiber = fiber_self(), .worker = worker_self(), .mail = {.run = job_done}};
    job.mail.arg = &job;
    int code = add_job(pool, &job);
    if (code)
        return code;
    while (!job.done) {
        code = fiber_wait();
        if (code && !job.done && remove_job(pool, &job))
            return code;
        if (code)
            while (!job.done)
                fiber_wait_uninterrupted();
    }
    return 0;
}
