/* Counters, gauges and histograms in the Prometheus text format. Made once, at start, never freed; changed from any
 * thread with relaxed atomics. */
#ifndef PURSER_BASE_METRICS_H
#define PURSER_BASE_METRICS_H

#include "base/text.h"

#include <stdint.h>

struct counter;
struct gauge;
struct histogram;

/* `labels` is Prometheus text between the braces (`service="users",status="2xx"`) or NULL. The same name and labels give the
 * same object again. Names begin with purser_; `help` is one line. NULL is never returned. */
struct counter *counter_get(const char *name, const char *labels, const char *help);
struct gauge *gauge_get(const char *name, const char *labels, const char *help);
/* Buckets in seconds: 0.5 ms to 30 s. */
struct histogram *histogram_get(const char *name, const char *labels, const char *help);

void counter_add(struct counter *counter, uint64_t n);
uint64_t counter_value(const struct counter *counter);
void gauge_set(struct gauge *gauge, int64_t value);
void gauge_add(struct gauge *gauge, int64_t n);
int64_t gauge_value(const struct gauge *gauge);
void histogram_observe_us(struct histogram *histogram, int64_t us);

/* Called at each print, to set gauges that are cheaper to compute than to keep. */
void metrics_on_print(void (*refresh)(void *arg), void *arg);
/* Everything, in the text format 0.0.4. */
void metrics_print(struct buffer *out);

#endif
