/* Metrics of a function are made at its first call and kept beside its pool. */
#include "functions/telemetry.h"

#include "base/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define KINDS (OUTCOME_UNAVAILABLE + 1)

struct telemetry {
    struct counter *calls[KINDS];
    struct counter *cold_starts;
    struct histogram *queue, *run;
    struct gauge *memory;
};

static void *make(const char *name)
{
    struct telemetry *telemetry = calloc(1, sizeof(*telemetry));
    if (!telemetry)
        abort();
    char labels[128];
    for (int kind = 0; kind < KINDS; kind++) {
        snprintf(labels, sizeof(labels), "function=\"%s\",outcome=\"%s\"", name, call_kind_name((enum outcome_kind)kind));
        telemetry->calls[kind] = counter_get("purser_function_calls_total", labels, "Calls of functions by outcome.");
    }
    snprintf(labels, sizeof(labels), "function=\"%s\"", name);
    telemetry->cold_starts = counter_get("purser_function_cold_starts_total", labels, "Processes that were started for a call.");
    telemetry->queue = histogram_get("purser_function_queue_seconds", labels, "Time from a call's arrival to its process.");
    telemetry->run = histogram_get("purser_function_run_seconds", labels, "Time that a function ran.");
    telemetry->memory = gauge_get("purser_function_memory_kilobytes", labels, "Private memory of a function's process at its last look.");
    return telemetry;
}

static struct telemetry *of(struct pool_entry *entry)
{
    return pool_attachment(entry, make);
}

void telemetry_called(struct pool_entry *entry, enum outcome_kind kind, int64_t run_us)
{
    struct telemetry *telemetry = of(entry);
    counter_add(telemetry->calls[kind], 1);
    if (kind <= OUTCOME_OUTPUT)
        histogram_observe_us(telemetry->run, run_us);
}

void telemetry_queued(struct pool_entry *entry, int64_t wait_us)
{
    histogram_observe_us(of(entry)->queue, wait_us);
}

void telemetry_cold_start(struct pool_entry *entry)
{
    counter_add(of(entry)->cold_starts, 1);
}

void telemetry_memory(struct pool_entry *entry, uint32_t resident_kb)
{
    if (resident_kb)
        gauge_set(of(entry)->memory, resident_kb);
}

struct telemetry_sums telemetry_of(struct pool_entry *entry)
{
    struct telemetry *telemetry = of(entry);
    struct telemetry_sums sums = {.cold_starts = counter_value(telemetry->cold_starts), .resident_kb = gauge_value(telemetry->memory)};
    for (int kind = 0; kind < KINDS; kind++) {
        uint64_t count = counter_value(telemetry->calls[kind]);
        sums.calls += count;
        sums.errors += kind == OUTCOME_SUCCEEDED ? 0 : count;
    }
    return sums;
}
