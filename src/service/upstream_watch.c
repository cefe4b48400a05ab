/*
 * What is known of instances without calling them: a fiber per upstream on worker 0 resolves its names every 5 s and asks each instance
 * for its health about every second.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "runtime/worker.h"
#include "service/upstream_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESOLVE_MS 5000
#define CHECK_MS 900 /* so that the connection of the last one is kept still (client_connection.c) */

static bool stopping;

static struct instance *find_slot(struct upstream *upstream, const char *address)
{
    unsigned n = upstream_slots(upstream);
    for (unsigned i = 0; i < n; i++)
        if (strcmp(upstream->instances[i].address, address) == 0)
            return &upstream->instances[i];
    if (n == INSTANCES_MAX) {
        log_warn("too many addresses", "{s:s, s:i}", "service", upstream->service, "max", INSTANCES_MAX);
        return NULL;
    }
    struct instance *instance = &upstream->instances[n];
    snprintf(instance->address, sizeof instance->address, "%s", address);
    __atomic_store_n(&upstream->count, n + 1, __ATOMIC_RELEASE);
    return instance;
}

/* One of the list; marks its addresses in `seen`. False if the name gave no answer: then what was known stays. */
static FIBER_FN bool resolve_one(struct upstream *upstream, const struct http_url *url, bool *seen)
{
    const char *addresses[INSTANCES_MAX];
    int n = http_resolve(arena_copy(fiber_arena(), url->host.at, url->host.size), url->port, addresses, INSTANCES_MAX);
    for (int i = 0; i < n; i++) {
        struct instance *instance = find_slot(upstream, addresses[i]);
        if (instance)
            seen[instance - upstream->instances] = true;
    }
    return n > 0;
}

static FIBER_FN void resolve(struct upstream *upstream)
{
    bool seen[INSTANCES_MAX] = {false}, whole = true;
    upstream->url = settings_text(upstream->setting);
    struct text rest = text_of(upstream->url);
    struct http_url url;
    while (upstream_url_next(&rest, &url))
        whole &= resolve_one(upstream, &url, seen);
    for (unsigned i = 0; i < upstream_slots(upstream); i++)
        if (seen[i] || whole)
            set(upstream->instances[i].live, seen[i]);
}

static FIBER_FN void check(struct upstream *upstream, struct instance *instance)
{
    struct http_call call = {.address = instance->address, .method = "GET", .target = "/health/ready"};
    struct http_response answer = {.arena = fiber_arena()};
    int64_t before = fiber_narrow_deadline(CHECK_MS);
    int error = http_client_call(&call, &answer, NULL);
    fiber_set_deadline(before);
    if (!error && answer.status == 200) {
        if (get(instance->check_failures) >= CHECK_FAILURES)
            log_info("instance is back", "{s:s, s:s}", "service", upstream->service, "address", instance->address);
        set(instance->check_failures, 0);
        set(instance->out_until_mono_ms, 0);
        set(instance->pauses, 0);
    } else if (error != -ECANCELED && add(instance->check_failures, 1) == CHECK_FAILURES) {
        log_warn("instance is not ready", "{s:s, s:s, s:i}", "service", upstream->service, "address", instance->address, "status",
                 error ? error : answer.status);
    }
}

struct check_job {
    struct upstream *upstream;
    struct instance *instance;
};

static FIBER_FN void check_fiber(void *arg)
{
    struct check_job *job = arg;
    fiber_defer(free, job);
    check(job->upstream, job->instance);
}

/* All at once: one silent instance must not delay what is known of the others. */
static void check_all(struct upstream *upstream)
{
    for (unsigned i = 0; i < upstream_slots(upstream); i++) {
        struct check_job *job = get(upstream->instances[i].live) ? malloc(sizeof *job) : NULL;
        if (!job)
            continue;
        *job = (struct check_job){upstream, &upstream->instances[i]};
        if (fiber_start("health check", check_fiber, job))
            free(job);
    }
}

static FIBER_FN void round_fiber(void *arg)
{
    resolve(arg);
}

FIBER_FN void upstream_watch(void *arg)
{
    struct upstream *upstream = arg;
    upstream->background = fiber_self();
    for (int64_t resolved = 0; !get(stopping);) {
        int64_t now = clock_mono_ms();
        if (!resolved || now - resolved >= RESOLVE_MS || upstream->url != settings_text(upstream->setting)) {
            resolved = now;
            /* On a fiber of its own, whose arena goes with it. */
            fiber_start("resolve", round_fiber, upstream);
        }
        if (fiber_sleep(upstream_slots(upstream) ? CHECK_MS : 50))
            break;
        check_all(upstream);
    }
    upstream->background = NULL;
}

void upstream_watch_stop(void)
{
    set(stopping, true);
}
