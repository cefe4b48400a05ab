/*
 * The instances of a service in other processes: names resolved again every 5 s, least requests, active and passive health, a circuit
 * breaker, a budget of repeats. Never ejects more than half of the instances.
 */
#ifndef PURSER_SERVICE_UPSTREAM_H
#define PURSER_SERVICE_UPSTREAM_H

#include "http/message.h"

struct upstream;

/* By the setting <service>_url; NULL if that is empty (the service should be in this process). Made at first use; any worker. */
struct upstream *upstream_of(const char *service);
/* Sends the request on with signed internal headers and takes the answer over. At most one repeat, at another instance if there is one: if
 * no connection was made, or, where the request is GET, HEAD or carries Idempotency-Key, if the connection ended without an answer or the
 * instance stands still (it has answered no question for its health, either). Repeats are at most 10 % of requests.
 * 502, 503 with Retry-After or 504 where there is no answer. */
FIBER_FN void upstream_forward(struct upstream *upstream, struct http_request *request, struct http_response *response);
/* The instance for a key by rendezvous hashing among the healthy ones: "ip:port" in the arena, or NULL. `not_this`: the address of one that
 * does not count, or NULL. */
FIBER_FN const char *upstream_pick(struct upstream *upstream, const char *key, const char *not_this);
/* Every instance, and what each of those that are not out says to GET `target`, asked one after the other, `each_ms` long at most:
 * [{address, healthy, in_flight, said}], `said` null where there is no 200. For the operations page. */
FIBER_FN json_t *upstream_ask_each(struct upstream *upstream, struct arena *arena, const char *target, int64_t each_ms);

#endif
