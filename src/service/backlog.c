/*
 * The outboxes' gauges. Counting costs a look at the table, so it is done for whoever asks and not all the time; where a database does not
 * answer, its gauges keep what they said last.
 */
#include "service/backlog.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "engines/wakeup.h"
#include "messaging/outbox.h"
#include "service/service.h"

#include <stdatomic.h>
#include <stdio.h>

#define COUNT_MS 2000
#define LOOK_MS 10

static _Atomic bool stopping;
static _Atomic unsigned at_work;

static void count(void *arg, const struct service *service, struct service_engines *engines, void *context)
{
    char labels[64];
    int64_t rows, oldest_ms;
    (void)arg;
    (void)context;
    if (!service->has_outbox || !database_is_up(engines->database) || outbox_backlog(engines->database, &rows, &oldest_ms) < 0)
        return;
    snprintf(labels, sizeof labels, "service=\"%s\"", service->name);
    gauge_set(gauge_get("purser_outbox_rows", labels, "Messages that wait in the service's outbox; all its instances tell of the same one"), rows);
    gauge_set(gauge_get("purser_outbox_oldest_milliseconds", labels, "Since when the oldest message waits in the service's outbox"), oldest_ms);
}

static FIBER_FN void count_each(void *unused)
{
    (void)unused;
    fiber_set_deadline(clock_mono_ms() + COUNT_MS);
    service_each(count, NULL);
}

/* On a fiber of its own, so that one who runs short of memory is no longer at work either. */
static FIBER_FN void count_all(void *unused)
{
    (void)unused;
    atomic_fetch_add(&at_work, 1);
    if (!atomic_load(&stopping))
        fiber_run_apart("outbox gauges", count_each, NULL);
    atomic_fetch_sub(&at_work, 1);
}

void backlog_start(void)
{
    metrics_on_print(count_all, NULL);
}

FIBER_FN void backlog_stop(void)
{
    atomic_store(&stopping, true);
    while (atomic_load(&at_work))
        fiber_sleep(LOOK_MS);
}
