/*
 * Hears of ended sessions: by the cache's channel `sessions`, and by asking the user service where that may have missed one. They are
 * numbered: a gap in the numbers, a reconnect, or a cache that is away or does not reach all of the user service makes it ask for what it
 * has missed.
 */
#ifndef PURSER_GATEWAY_REVOCATIONS_WATCH_H
#define PURSER_GATEWAY_REVOCATIONS_WATCH_H

#include "engines/cache.h"

/* On worker 0. `ended` (NULL: nobody) is called there for each ended session, once it is refused here. 0 or negative. */
FIBER_FN int revocations_watch_start(struct cache *cache, void (*ended)(const char *session_id));
void revocations_watch_stop(void);
/* Whether it has learned of the sessions that ended before it began. On worker 0. */
bool revocations_are_known(void);
/* A session has ended: refused from now on. Any worker. */
void revocations_session_over(const char *session_id);

#endif
