/* What is measured of each function, in Prometheus terms. */
#ifndef PURSER_FUNCTIONS_TELEMETRY_H
#define PURSER_FUNCTIONS_TELEMETRY_H

#include "functions/call.h"

void telemetry_called(struct pool_entry *entry, enum outcome_kind kind, int64_t run_us);
void telemetry_queued(struct pool_entry *entry, int64_t wait_us);
void telemetry_cold_start(struct pool_entry *entry);
void telemetry_memory(struct pool_entry *entry, uint32_t resident_kb);

struct telemetry_sums {
    uint64_t calls, errors, cold_starts;
    int64_t resident_kb;
};
/* Since the start; zeros for a function that was not called. */
struct telemetry_sums telemetry_of(struct pool_entry *entry);

#endif
