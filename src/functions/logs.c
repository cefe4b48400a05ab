/*
 * Logs are noted in memory and written a few times a second in one transaction, so that a call costs no write of its own. The list is
 * bounded: silent successes are dropped first, then everything.
 */
#include "functions/logs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "functions/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NOTED_MAX 512
#define SILENT_MAX 32

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stored_log noted[NOTED_MAX];
static unsigned count;

static void forget(struct stored_log *log)
{
    free((void *)(uintptr_t)log->name);
    free((void *)(uintptr_t)log->cause);
    free((void *)(uintptr_t)log->logs);
    free((void *)(uintptr_t)log->error);
}

static bool is_wanted(const struct call_outcome *outcome)
{
    bool silent = outcome->kind == OUTCOME_SUCCEEDED && json_array_size(outcome->logs) == 0;
    pthread_mutex_lock(&lock);
    bool wanted = count < (silent ? SILENT_MAX : NOTED_MAX);
    pthread_mutex_unlock(&lock);
    return wanted;
}

void logs_note(const char *name, const char *cause, const struct call_outcome *outcome)
{
    if (!is_wanted(outcome))
        return;
    bool failed = outcome->kind != OUTCOME_SUCCEEDED;
    struct stored_log log = {
        .name = strdup(name),
        .cause = strdup(cause),
        .status = failed ? "failed" : "succeeded",
        .logs = json_dumps(outcome->logs, JSON_COMPACT),
        .error = failed ? json_dumps(call_error(fiber_arena(), outcome), JSON_COMPACT) : NULL,
        .version = outcome->version,
        .duration_us = outcome->duration_us,
        .created_ms = clock_wall_ms(),
    };
    json_forgive(); /* what there was no memory for is not kept */
    uuid_make(log.id);
    pthread_mutex_lock(&lock);
    bool kept = log.name && log.cause && log.logs && count < NOTED_MAX;
    if (kept)
        noted[count++] = log;
    pthread_mutex_unlock(&lock);
    if (!kept)
        forget(&log);
}

FIBER_FN void logs_flush(struct database *database)
{
    pthread_mutex_lock(&lock);
    unsigned taken = count;
    struct stored_log *list = taken ? malloc(taken * sizeof(*list)) : NULL;
    if (list) {
        memcpy(list, noted, taken * sizeof(*list));
        count = 0;
    }
    pthread_mutex_unlock(&lock);
    if (!list)
        return;
    int error = functions_store_logs_add(database, list, taken);
    if (error)
        log_warn("function logs were lost", "{s:i, s:i}", "count", (int)taken, "error", error);
    for (unsigned i = 0; i < taken; i++)
        forget(&list[i]);
    free(list);
}
