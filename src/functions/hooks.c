/*
 * From causes to jobs. The jobs of one cause are written to the outbox in one transaction, each guarded by a row of hook_runs, so that a
 * second delivery of the same event makes none. Topics are read even while nobody is hooked on one, or else the first hook would be
 * handed everything that ever happened; that costs no transaction.
 */
#include "functions/hooks.h"

#include "base/clock.h"
#include "base/log.h"
#include "contracts/names.h"
#include "functions/rules.h"
#include "messaging/consumer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hook {
    char *name, *trigger;
    enum trigger_kind kind;
    struct cron cron;
};

/* Those in force. Replaced as a whole. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hook *hooks;
static unsigned hook_count, topic_count;

static void free_hooks(struct hook *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].trigger);
    }
    free(list);
}

static int read_body(struct transaction *tx, void *arg)
{
    return functions_store_triggers_tx(tx, arg);
}

/* Fills one hook; false for a trigger that this version does not know. */
static bool make_hook(const char *name, const char *trigger, struct hook *ret_hook)
{
    const char *why;
    struct hook hook = {0};
    if (function_rules_trigger_parse(trigger, &hook.kind, &why))
        return false;
    if (hook.kind == TRIGGER_CRON)
        function_rules_cron_parse(trigger + strlen("cron:"), &hook.cron);
    hook.name = strdup(name);
    hook.trigger = strdup(trigger);
    *ret_hook = hook;
    return true;
}

FIBER_FN int hooks_reload(struct database *database)
{
    struct rows rows;
    int error = database_read(database, read_body, &rows);
    if (error)
        return error;
    struct hook *list = calloc(rows.count + 1, sizeof(*list));
    unsigned count = 0, topics = 0;
    for (unsigned i = 0; list && i < rows.count; i++) {
        if (!make_hook(rows_text(&rows, i, 0), rows_text(&rows, i, 1), &list[count]))
            continue;
        topics += list[count].kind == TRIGGER_TOPIC;
        count++;
    }
    pthread_mutex_lock(&lock);
    struct hook *old = hooks;
    unsigned old_count = hook_count;
    hooks = list;
    hook_count = list ? count : 0;
    topic_count = list ? topics : 0;
    pthread_mutex_unlock(&lock);
    free_hooks(old, old_count);
    return list ? 0 : -ENOMEM;
}

/* A job for a function: what the outbox sends to functions.invocations. */
static int queue_job(struct transaction *tx, const char *key, json_t *data)
{
    struct outbox_entry entry = {
        .kind = OUTBOX_QUEUE,
        .destination = QUEUE_INVOCATIONS,
        .key = key,
        .event = {.source = SOURCE_FUNCTIONS, .type = EVENT_INVOCATION_REQUESTED, .subject = json_get_string(data, "name"), .data = data},
    };
    return outbox_add(tx, &entry);
}

int hooks_queue_invocation_tx(struct transaction *tx, const struct stored_invocation *invocation)
{
    json_t *data = json_make(transaction_arena(tx), "{s:s, s:s}", "name", invocation->name, "invocation_id", invocation->id);
    return queue_job(tx, invocation->name, data);
}

/* Functions that one event (or minute) makes run. */
struct cause {
    const char *id;     /* the event's */
    json_t *event;      /* the whole CloudEvent */
    struct target {
        const char *name, *trigger;
    } targets[64];
    unsigned count;
};

#define TARGETS_MAX (sizeof(((struct cause *)0)->targets) / sizeof(struct target))

static int queue_cause(struct transaction *tx, struct cause *cause)
{
    struct arena *arena = transaction_arena(tx);
    for (unsigned i = 0; i < cause->count; i++) {
        const struct target *target = &cause->targets[i];
        int added = functions_store_cause_add_tx(tx, arena_printf(arena, "queued:%s", cause->id), target->name);
        if (added < 0)
            return added;
        json_t *data = json_make(arena, "{s:s, s:s, s:O}", "name", target->name, "trigger", target->trigger, "event", cause->event);
        int error = added ? queue_job(tx, target->name, data) : 0;
        if (error)
            return error;
    }
    return 0;
}

static int cause_body(struct transaction *tx, void *arg)
{
    return queue_cause(tx, arg);
}

/* A function is run once for a cause, whichever of its triggers fit. Called with the lock held. */
static void add_target(struct arena *arena, struct cause *cause, const struct hook *hook)
{
    for (unsigned i = 0; i < cause->count; i++)
        if (!strcmp(cause->targets[i].name, hook->name))
            return;
    if (cause->count < TARGETS_MAX)
        cause->targets[cause->count++] = (struct target){arena_strdup(arena, hook->name), arena_strdup(arena, hook->trigger)};
}

/* The queues user.created and order.created: inside the consumer's transaction, so from the table. */
static int on_queue(struct transaction *tx, void *queue_name, struct event_item *items, unsigned count)
{
    struct rows rows;
    struct arena *arena = transaction_arena(tx);
    struct cause *cause = arena_alloc(arena, sizeof(*cause));
    int error = functions_store_triggers_tx(tx, &rows);
    for (unsigned i = 0; !error && i < rows.count && cause->count < TARGETS_MAX; i++)
        if (!strcmp(rows_text(&rows, i, 1), queue_name))
            cause->targets[cause->count++] = (struct target){rows_text(&rows, i, 0), rows_text(&rows, i, 1)};
    for (unsigned i = 0; !error && i < count; i++) {
        cause->id = items[i].event->id;
        error = json_parse(arena, items[i].message->body, &cause->event, NULL) ? -EBADMSG : queue_cause(tx, cause);
    }
    return error;
}

static bool find_topic_targets(struct arena *arena, const char *type, struct cause *cause)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < hook_count; i++)
        if (hooks[i].kind == TRIGGER_TOPIC && function_rules_type_matches(hooks[i].trigger, type))
            add_target(arena, cause, &hooks[i]);
    pthread_mutex_unlock(&lock);
    return cause->count > 0;
}

/* Topics: 0 when the jobs of all records are durable. A record that is no event concerns no function. */
static FIBER_FN int on_topic(void *context, const struct stream_record *records, unsigned count)
{
    struct functions_context *functions = context;
    /* A trigger that another instance was given a moment ago counts for what happens from then on. */
    if (database_is_postgres(functions->engines->database)) {
        int stale = hooks_reload(functions->engines->database);
        if (stale)
            return stale;
    }
    pthread_mutex_lock(&lock);
    bool anybody = topic_count > 0;
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; anybody && i < count; i++) {
        struct arena *arena = fiber_arena();
        struct cause *cause = arena_alloc(arena, sizeof(*cause));
        struct event event;
        if (event_parse(arena, records[i].value, &event, NULL) || !find_topic_targets(arena, event.type, cause))
            continue;
        cause->id = event.id;
        if (json_parse(arena, records[i].value, &cause->event, NULL))
            continue;
        int error = database_transact(functions->engines->database, cause_body, cause);
        if (error)
            return error;
    }
    return 0;
}

FIBER_FN int hooks_minute(struct database *database, int64_t minute)
{
    time_t seconds = (time_t)(minute * 60);
    struct tm utc;
    char at[TIME_TEXT_SIZE];
    struct arena *arena = fiber_arena();
    struct cause *cause = arena_alloc(arena, sizeof(*cause));
    gmtime_r(&seconds, &utc);
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < hook_count; i++)
        if (hooks[i].kind == TRIGGER_CRON && function_rules_cron_matches(&hooks[i].cron, &utc))
            add_target(arena, cause, &hooks[i]);
    pthread_mutex_unlock(&lock);
    if (!cause->count)
        return 0;
    time_print(minute * 60000, at);
    struct event event = {
        .source = SOURCE_FUNCTIONS,
        .type = "purser.function.scheduled",
        .subject = at,
        .data = json_make(arena, "{s:s}", "scheduled_at", at),
    };
    json_parse(arena, event_print(arena, &event), &cause->event, NULL);
    /* The minute, not the event, is the cause: every instance has the same clock. */
    cause->id = arena_printf(arena, "minute:%s", at);
    return database_transact(database, cause_body, cause);
}

FIBER_FN int hooks_start(struct functions_context *context, struct err *err)
{
    static const char *const topics[] = {TOPIC_USERS, TOPIC_ORDERS, TOPIC_PAYMENTS, NULL};
    struct service_engines *engines = context->engines;
    struct event_handler users = {.name = "functions.user-created", .effects = on_queue, .context = (void *)(uintptr_t) QUEUE_USER_CREATED};
    struct event_handler orders = {.name = "functions.order-created", .effects = on_queue, .context = (void *)(uintptr_t) QUEUE_ORDER_CREATED};
    struct stream_consumer stream = {.group = "functions", .topics = topics, .batch_max = 100, .handle = on_topic, .context = context};
    int error = hooks_reload(engines->database);
    if (error)
        return err_set(err, error, "the triggers of functions cannot be read: %s", strerror(-error));
    error = consume_queue(engines->database, engines->queue, QUEUE_USER_CREATED, &users, err);
    if (!error)
        error = consume_queue(engines->database, engines->queue, QUEUE_ORDER_CREATED, &orders, err);
    if (!error)
        error = stream_consume(engines->stream, &stream, err);
    return error ? error : function_workers_consume(context, err);
}
