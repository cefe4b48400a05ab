/*
 * From causes to jobs. The jobs of one cause are written to the outbox in one transaction, each guarded by a row of hook_runs, so that a
 * second delivery of the same event makes none. Topics are read even while nobody is hooked on one, or else the first hook would be
 * handed everything that ever happened; that costs no transaction.
 */
#include "functions/hooks.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "contracts/names.h"
#include "functions/rules.h"
#include "messaging/consumer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hook {
    char *name, *trigger;
    enum trigger_kind kind;
    struct cron cron;
};

/* All hooks at one revision of the registry. Never changed; goes with its last user. */
struct hook_list {
    atomic_uint users;
    int64_t revision;
    unsigned count, topics;
    struct hook at[];
};

/* The one in force, or NULL. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hook_list *current;

static void list_unref(struct hook_list *list)
{
    if (!list || atomic_fetch_sub(&list->users, 1) != 1)
        return;
    for (unsigned i = 0; i < list->count; i++) {
        free(list->at[i].name);
        free(list->at[i].trigger);
    }
    free(list);
}

static void give_back(void *held)
{
    struct hook_list **list = held;
    list_unref(*list);
    *list = NULL;
}

/* The list in force, which stays for as long as the fiber or until it is given back; NULL: none. */
static struct hook_list **hold_list(void)
{
    struct hook_list **held = arena_alloc(fiber_arena(), sizeof(*held));
    fiber_defer(give_back, held);
    pthread_mutex_lock(&lock);
    *held = current;
    if (current)
        atomic_fetch_add(&current->users, 1);
    pthread_mutex_unlock(&lock);
    return held;
}

static int read_body(struct transaction *tx, void *arg)
{
    return functions_store_triggers_tx(tx, arg);
}

/* Adds one; a trigger that this version does not know is left out. 0 or -ENOMEM. */
static int add_hook(struct hook_list *list, const char *name, const char *trigger)
{
    const char *why;
    struct hook hook = {0};
    if (function_rules_trigger_parse(trigger, &hook.kind, &why))
        return 0;
    if (hook.kind == TRIGGER_CRON)
        function_rules_cron_parse(trigger + strlen("cron:"), &hook.cron);
    hook.name = strdup(name);
    hook.trigger = strdup(trigger);
    list->at[list->count++] = hook;
    list->topics += hook.kind == TRIGGER_TOPIC;
    return hook.name && hook.trigger ? 0 : -ENOMEM;
}

/* NULL when memory is short. */
static struct hook_list *list_new(const struct rows *rows)
{
    struct hook_list *list = calloc(1, sizeof(*list) + rows->count * sizeof(list->at[0]));
    if (!list)
        return NULL;
    atomic_init(&list->users, 1);
    list->revision = rows->count ? rows_integer(rows, 0, 2) : 0;
    for (unsigned i = 0; i < rows->count; i++) {
        if (!rows_null(rows, i, 0) && add_hook(list, rows_text(rows, i, 0), rows_text(rows, i, 1))) {
            list_unref(list);
            return NULL;
        }
    }
    return list;
}

/* Puts it in force unless a newer one is. */
static void list_install(struct hook_list *list)
{
    pthread_mutex_lock(&lock);
    bool news = !current || list->revision > current->revision;
    struct hook_list *old = news ? current : list;
    if (news)
        current = list;
    pthread_mutex_unlock(&lock);
    list_unref(old);
}

FIBER_FN int hooks_reload(struct database *database)
{
    struct rows rows;
    int error = database_read(database, read_body, &rows);
    struct hook_list *list = error ? NULL : list_new(&rows);
    if (!list)
        return error ? error : -ENOMEM;
    list_install(list);
    return 0;
}

/* A job for a function: what the outbox sends to functions.invocations. */
static int queue_job(struct transaction *tx, const char *name, struct text data)
{
    struct outbox_entry entry = {
        .kind = OUTBOX_QUEUE,
        .destination = QUEUE_INVOCATIONS,
        .key = name,
        .event = {.source = SOURCE_FUNCTIONS, .type = EVENT_INVOCATION_REQUESTED, .subject = name, .data = data},
    };
    return outbox_add(tx, &entry);
}

int hooks_queue_invocation_tx(struct transaction *tx, const struct stored_invocation *invocation)
{
    struct text data = json_text(transaction_arena(tx), "ss", "name", invocation->name, "invocation_id", invocation->id);
    return queue_job(tx, invocation->name, data);
}

/* Functions that one event (or minute) makes run. */
struct cause {
    const char *id;     /* the event's */
    struct text event;  /* the whole CloudEvent */
    struct target {
        const char *name, *trigger;
    } *targets;
    unsigned count, room;
};

static int queue_cause(struct transaction *tx, struct cause *cause)
{
    struct arena *arena = transaction_arena(tx);
    for (unsigned i = 0; i < cause->count; i++) {
        const struct target *target = &cause->targets[i];
        int added = functions_store_cause_add_tx(tx, arena_printf(arena, "queued:%s", cause->id), target->name);
        if (added < 0)
            return added;
        struct text data = json_text(arena, "ssj", "name", target->name, "trigger", target->trigger, "event", &cause->event);
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

/* A function is run once for a cause, whichever of its triggers fit. */
static void add_target(struct arena *arena, struct cause *cause, const char *name, const char *trigger)
{
    for (unsigned i = 0; i < cause->count; i++)
        if (!strcmp(cause->targets[i].name, name))
            return;
    if (cause->count == cause->room) {
        struct target *more = arena_alloc(arena, (cause->room * 2 + 8) * sizeof(*more));
        if (cause->count)
            memcpy(more, cause->targets, cause->count * sizeof(*more));
        cause->targets = more;
        cause->room = cause->room * 2 + 8;
    }
    cause->targets[cause->count++] = (struct target){name, trigger};
}

/* The queues user.created and order.created: inside the consumer's transaction, so from the table. */
static int on_queue(struct transaction *tx, void *queue_name, struct event_item *items, unsigned count)
{
    struct rows rows;
    struct arena *arena = transaction_arena(tx);
    struct cause *cause = arena_alloc(arena, sizeof(*cause));
    int error = functions_store_triggers_tx(tx, &rows);
    for (unsigned i = 0; !error && i < rows.count; i++)
        if (!rows_null(&rows, i, 0) && !strcmp(rows_text(&rows, i, 1), queue_name))
            add_target(arena, cause, rows_text(&rows, i, 0), rows_text(&rows, i, 1));
    for (unsigned i = 0; !error && i < count; i++) {
        cause->id = items[i].event->id;
        cause->event = items[i].message->body;
        error = queue_cause(tx, cause);
    }
    return error;
}

static bool find_topic_targets(const struct hook_list *list, const char *type, struct cause *cause)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->at[i].kind == TRIGGER_TOPIC && function_rules_type_matches(list->at[i].trigger, type))
            add_target(fiber_arena(), cause, list->at[i].name, list->at[i].trigger);
    return cause->count > 0;
}

/* A record that is no event concerns no function. */
static FIBER_FN int on_record(struct database *database, const struct hook_list *list, const struct stream_record *record)
{
    struct arena *arena = fiber_arena();
    struct cause *cause = arena_alloc(arena, sizeof(*cause));
    struct event event;
    if (event_parse(arena, record->value, &event, NULL) || !find_topic_targets(list, event.type, cause))
        return 0;
    cause->id = event.id;
    cause->event = record->value;
    return database_transact(database, cause_body, cause);
}

/* Topics: 0 when the jobs of all records are durable. */
static FIBER_FN int on_topic(void *context, const struct stream_record *records, unsigned count)
{
    struct database *database = ((struct functions_context *)context)->engines->database;
    /* A trigger that another instance was given a moment ago counts for what happens from then on. */
    int error = database_is_postgres(database) ? hooks_reload(database) : 0;
    if (error)
        return error;
    struct hook_list **held = hold_list();
    bool anybody = *held && (*held)->topics > 0;
    for (unsigned i = 0; anybody && !error && i < count; i++)
        error = on_record(database, *held, &records[i]);
    give_back(held);
    return error;
}

static FIBER_FN int queue_minute(struct database *database, int64_t minute, struct cause *cause)
{
    char at[TIME_TEXT_SIZE];
    struct arena *arena = fiber_arena();
    time_print(minute * 60000, at);
    struct event event = {
        .source = SOURCE_FUNCTIONS,
        .type = "purser.function.scheduled",
        .subject = at,
        .data = json_text(arena, "s", "scheduled_at", at),
    };
    cause->event = event_print(arena, &event);
    /* The minute, not the event, is the cause: every instance has the same clock. */
    cause->id = arena_printf(arena, "minute:%s", at);
    return database_transact(database, cause_body, cause);
}

FIBER_FN int hooks_minute(struct database *database, int64_t minute)
{
    time_t seconds = (time_t)(minute * 60);
    struct tm utc;
    struct cause *cause = arena_alloc(fiber_arena(), sizeof(*cause));
    struct hook_list **held = hold_list();
    gmtime_r(&seconds, &utc);
    for (unsigned i = 0; *held && i < (*held)->count; i++)
        if ((*held)->at[i].kind == TRIGGER_CRON && function_rules_cron_matches(&(*held)->at[i].cron, &utc))
            add_target(fiber_arena(), cause, (*held)->at[i].name, (*held)->at[i].trigger);
    int error = cause->count ? queue_minute(database, minute, cause) : 0;
    give_back(held);
    return error;
}

FIBER_FN int hooks_start(struct functions_context *context, struct err *err)
{
    static const char *const topics[] = {TOPIC_USERS, TOPIC_ORDERS, TOPIC_PAYMENTS, NULL};
    struct service_engines *engines = context->engines;
    struct event_handler users = {.name = "functions.user-created", .effects = on_queue,
                                  .context = (void *)(uintptr_t) QUEUE_USER_CREATED};
    struct event_handler orders = {.name = "functions.order-created", .effects = on_queue,
                                   .context = (void *)(uintptr_t) QUEUE_ORDER_CREATED};
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
