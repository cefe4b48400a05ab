/*
 * Which instance is asked. One is out while its last two health checks failed, or for a growing pause after five failures in a row without
 * an answer; when the pause ends, calls try it again and one failure is enough to put it out anew. If less than half would be left, all are
 * tried.
 */
#include "base/clock.h"
#include "base/log.h"
#include "service/upstream_parts.h"

#include <sodium.h>
#include <string.h>

#define FAILURES_MAX 5
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 30000

bool instance_is_out(const struct instance *instance, int64_t now)
{
    return get(instance->check_failures) >= CHECK_FAILURES || get(instance->out_until_mono_ms) > now;
}

unsigned upstream_slots(const struct upstream *upstream)
{
    return __atomic_load_n(&upstream->count, __ATOMIC_ACQUIRE);
}

bool upstream_is_short(const struct upstream *upstream, int64_t now)
{
    unsigned live = 0, out = 0;
    for (unsigned i = 0; i < upstream_slots(upstream); i++) {
        if (!get(upstream->instances[i].live))
            continue;
        live++;
        out += instance_is_out(&upstream->instances[i], now);
    }
    return out * 2 > live;
}

struct instance *upstream_least(struct upstream *upstream, const struct instance *not_this)
{
    int64_t now = clock_mono_ms();
    bool all = upstream_is_short(upstream, now);
    struct instance *best = NULL;
    unsigned n = upstream_slots(upstream), start = add(upstream->turn, 1);
    for (unsigned k = 0; k < n; k++) {
        struct instance *instance = &upstream->instances[(start + k) % n];
        if (!get(instance->live) || (!all && instance_is_out(instance, now)))
            continue;
        if (instance == not_this && best)
            continue;
        if (!best || best == not_this || get(instance->in_flight) < get(best->in_flight))
            best = instance;
    }
    return best;
}

FIBER_FN const char *upstream_pick(struct upstream *upstream, const char *key, const char *not_this)
{
    int64_t now = clock_mono_ms();
    bool all = upstream_is_short(upstream, now);
    const char *best = NULL;
    uint64_t best_weight = 0;
    for (unsigned i = 0; i < upstream_slots(upstream); i++) {
        struct instance *instance = &upstream->instances[i];
        if (!get(instance->live) || (!all && instance_is_out(instance, now)) || (not_this && strcmp(instance->address, not_this) == 0))
            continue;
        uint64_t weight;
        unsigned char seed[crypto_shorthash_KEYBYTES] = {0};
        char *said = arena_printf(fiber_arena(), "%s %s", instance->address, key);
        crypto_shorthash((unsigned char *)&weight, (unsigned char *)said, strlen(said), seed);
        if (!best || weight > best_weight) {
            best = instance->address;
            best_weight = weight;
        }
    }
    return best ? arena_strdup(fiber_arena(), best) : NULL;
}

/* ---- what calls tell about an instance ---- */

void instance_did_well(struct instance *instance)
{
    set(instance->failures, 0);
    set(instance->pauses, 0);
}

void instance_failed(struct upstream *upstream, struct instance *instance)
{
    counter_add(upstream->failed, 1);
    if (add(instance->failures, 1) < FAILURES_MAX && !get(instance->pauses))
        return;
    int pauses = add(instance->pauses, 1);
    int64_t pause_ms = PAUSE_MS;
    for (int i = 1; i < pauses && pause_ms < PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    set(instance->failures, 0);
    set(instance->out_until_mono_ms, clock_mono_ms() + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS));
    log_warn("instance is out", "{s:s, s:s, s:I}", "service", upstream->service, "address", instance->address, "pause_ms",
             (json_int_t)pause_ms);
}
