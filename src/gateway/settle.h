/* Several gateways, one limit: what each has allowed is told to the others through the cache, in the background. */
#ifndef PURSER_GATEWAY_SETTLE_H
#define PURSER_GATEWAY_SETTLE_H

#include "base/err.h"
#include "engines/cache.h"

/* Told every SETTLE_MS; until then a limit may be exceeded by what the other gateways allow in that time: at most (gateways - 1) times
 * what one client can send in SETTLE_MS and the way through the cache. While the cache is away, or where it is embedded, each gateway
 * limits for itself. */
#define SETTLE_MS 200

/* On a fiber of worker 0. Does nothing with an embedded cache, which nobody else hears. */
int settle_start(struct cache *cache, struct err *err);
void settle_stop(void);

#endif
