/* Publish and subscribe of the cache inside the process. */
#ifndef PURSER_ENGINES_EMBEDDED_SUBSCRIBERS_H
#define PURSER_ENGINES_EMBEDDED_SUBSCRIBERS_H

#include "engines/cache.h"

#include <pthread.h>

struct embedded_subscribers {
    pthread_mutex_t lock; /* of the list, which only grows */
    struct embedded_subscriber *first;
    _Atomic unsigned under_way; /* messages */
};

void embedded_subscribers_init(struct embedded_subscribers *all);
/* On a fiber, after what is under way has come. */
FIBER_FN void embedded_subscribers_fini(struct embedded_subscribers *all);

/* As cache_subscribe: messages come on the calling worker. */
int embedded_subscribers_add(struct embedded_subscribers *all, const struct cache_subscription *wanted);
/* As cache_publish: to all whose pattern covers the channel. -EAGAIN where too much is under way. */
int embedded_subscribers_tell(struct embedded_subscribers *all, const struct cache_message *list, unsigned count);

#endif
