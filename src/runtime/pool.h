/* A bounded pool of threads for work that blocks (argon2, DNS). */
#ifndef PURSER_RUNTIME_POOL_H
#define PURSER_RUNTIME_POOL_H

#include "runtime/fiber.h"

struct pool;

/* NULL when threads can't be made. */
struct pool *pool_new(const char *name, unsigned threads, unsigned waiting_max);
/* Waits for what runs. NULL is fine. */
void pool_free(struct pool *pool);

/* Runs `work(arg)` on one of the threads and parks the fiber. 0 when done; -EBUSY at once when `waiting_max` others wait;
 * -ECANCELED or -ETIMEDOUT if that came while it still waited (then `work` never runs). Once begun it is waited for. */
FIBER_FN int pool_run(struct pool *pool, void (*work)(void *arg), void *arg);

#endif
