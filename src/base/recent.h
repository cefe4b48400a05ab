/*
 * What happened in the last ten seconds: how often, how often it failed, and how long it took. For a page that shows a system as it is, at
 * its first look; what is to be kept and compared is in metrics.h. Made once, never freed; noted from any thread, without a lock.
 */
#ifndef PURSER_BASE_RECENT_H
#define PURSER_BASE_RECENT_H

#include <stdbool.h>
#include <stdint.h>

struct recent;

/* Kinds keep names apart: a queue is written to and taken from. */
enum recent_kind { RECENT_SERVICE, RECENT_ROUTES, RECENT_QUEUE_PUBLISHED, RECENT_QUEUE_HANDLED, RECENT_TOPIC_PUBLISHED, RECENT_KINDS };

struct recent_rates {
    double per_second, failed_per_second; /* of the last ten seconds */
    double p99_ms;                        /* of the last half minute to minute; below 0 when nothing with a time came in it */
};

/* The same kind and name give the same object again. Names are copied and few: queues, topics, services, groups of routes. NULL,
 * which every call here takes, when there are too many or memory is short. */
struct recent *recent_get(enum recent_kind kind, const char *name);
/* `times` of them came to an end now; `took_us` below 0: it has no time. */
void recent_note(struct recent *recent, unsigned times, bool failed, int64_t took_us);
struct recent_rates recent_read(const struct recent *recent);
/* Every name of a kind, in order of making. */
void recent_each(enum recent_kind kind, void (*visit)(void *arg, const char *name, struct recent_rates rates), void *arg);

#endif
