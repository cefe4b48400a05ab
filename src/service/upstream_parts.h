/*
 * What the files of an upstream share: its instances, and what each file does for the others. Slots are shared by all workers and changed
 * with atomics alone; an instance keeps its slot and its address for ever. For the upstream*.c of this folder.
 */
#ifndef PURSER_SERVICE_UPSTREAM_PARTS_H
#define PURSER_SERVICE_UPSTREAM_PARTS_H

#include "base/metrics.h"
#include "http/client.h"
#include "http/url.h"
#include "service/upstream.h"

#define INSTANCES_MAX 64
#define CHECK_FAILURES 2 /* in a row, and an instance is out */

struct instance {
    char address[64];
    int live;             /* the name still has this address */
    int in_flight;
    int failures;         /* in a row, without an answer */
    int check_failures;   /* in a row */
    int pauses;           /* in a row */
    int64_t out_until_mono_ms;
    int64_t requests;
};

struct upstream {
    const char *service;
    const char *setting; /* its name */
    const char *url; /* the setting's value as last resolved; settings keep old strings alive */
    struct instance instances[INSTANCES_MAX];
    unsigned count; /* slots used, atomic */
    unsigned turn;  /* with whom the next choice begins, so that equals take turns */
    int budget;
    struct counter *repeats, *failed;
    struct fiber *background;
};

#define get(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define set(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELAXED)
#define add(place, n) __atomic_add_fetch(&(place), (n), __ATOMIC_RELAXED)

/* upstream_choice.c */

/* Slots used so far; each below it may be read. */
unsigned upstream_slots(const struct upstream *upstream);
bool instance_is_out(const struct instance *instance, int64_t now_mono_ms);
/* Whether so many instances are out that all must be tried. */
bool upstream_is_short(const struct upstream *upstream, int64_t now_mono_ms);
/* The one with the fewest calls under way; `not_this` (may be NULL) only if there is no other. NULL if there is none at all. */
struct instance *upstream_least(struct upstream *upstream, const struct instance *not_this);
/* What a call has to tell of its instance: it answered, or it did not. */
void instance_did_well(struct instance *instance);
void instance_failed(struct upstream *upstream, struct instance *instance);

/* upstream_call.c: one call of one instance. 0, or as http_client_call. */
FIBER_FN int upstream_call_instance(struct upstream *upstream, struct instance *instance, struct http_request *request,
                                    struct http_response *response, enum http_call_progress *ret_progress);

/* upstream_url.c */

/* Has every text of a setting such as orders_url checked, the present one first: 0, or -EINVAL with one line. */
int upstream_url_check(const char *setting, struct err *err);
/* Takes the next address off a checked list; false at its end. */
bool upstream_url_next(struct text *list, struct http_url *ret_url);

/* upstream_watch.c: the fiber that resolves the names of an upstream (`arg`) and asks its instances for their health. On worker 0. */
FIBER_FN void upstream_watch(void *arg);
/* From now on no watch begins another round. Any thread. */
void upstream_watch_stop(void);

#endif
