/*
 * The consumers of functions.invocations. A job is run first and then settled in one transaction, which does nothing the second time; the message
 * is acknowledged after that. A function may so run twice for one cause, but its result has its effect once. What fails is tried again with
 * growing pauses, then becomes a dead letter.
 */
#include "functions/hooks.h"

#include "base/json_members.h"
#include "base/log.h"
#include "base/uuid.h"
#include "contracts/names.h"
#include "contracts/payments.h"
#include "functions/call.h"
#include "functions/registry.h"
#include "messaging/consumer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Jobs run side by side: consumers × the most that one takes at once. */
#define CONSUMERS 4
#define BATCH_MAX 4

static void refuse(struct queue_delivery *delivery, enum queue_verdict verdict, const char *why)
{
    delivery->verdict = verdict;
    snprintf(delivery->error, sizeof(delivery->error), "%.*s", (int)sizeof(delivery->error) - 1, why);
}

/* It did not run: another time, which does not count as an attempt. */
static bool learnt_nothing(const struct call_outcome *outcome)
{
    return outcome->kind == OUTCOME_BUSY || outcome->kind == OUTCOME_UNAVAILABLE;
}

static FIBER_FN void settle_invocation(struct database *database, struct queue_delivery *delivery, const char *id,
                                       const struct call_outcome *outcome)
{
    bool good = outcome->kind == OUTCOME_SUCCEEDED;
    struct stored_invocation done = {
        .id = id,
        .status = good ? "succeeded" : "failed",
        .result = good ? arena_copy(fiber_arena(), outcome->result.at, outcome->result.size) : NULL,
        .error = good ? NULL : json_print(fiber_arena(), call_error(fiber_arena(), outcome), NULL),
        .logs = json_print(fiber_arena(), outcome->logs, NULL),
        .duration_us = outcome->duration_us,
        .version = outcome->version,
    };
    if (functions_store_invocation_finish(database, &done))
        refuse(delivery, QUEUE_AGAIN, "the outcome could not be stored");
    else
        delivery->verdict = QUEUE_ACK;
}

static FIBER_FN void run_invocation(struct database *database, struct queue_delivery *delivery, const char *name, const char *id)
{
    struct stored_invocation invocation;
    struct call_outcome outcome = {.kind = OUTCOME_GONE, .message = "There is no such function.", .logs = json_keep(fiber_arena(), json_array())};
    int error = functions_store_invocation(database, id, &invocation);
    if (error == -ENOENT || (!error && invocation.finished)) {
        delivery->verdict = QUEUE_ACK;
        return;
    }
    if (error) {
        refuse(delivery, QUEUE_AGAIN, "the call could not be read");
        return;
    }
    struct pool_entry *entry = pool_entry_find(name);
    struct call_request request = {.event = text_of(invocation.event), .cause = "async", .request_id = id};
    if (entry)
        call_function(database, entry, &request, &outcome);
    if (learnt_nothing(&outcome))
        refuse(delivery, QUEUE_AGAIN, outcome.message);
    else
        settle_invocation(database, delivery, id, &outcome);
}

/* The event that a hook is run for, as its job has it. */
struct hook_event {
    struct text whole, data; /* data: at == NULL where there is none */
    const char *id, *traceparent;
};

static bool read_hook_event(struct text whole, struct hook_event *ret_event)
{
    enum { ID, TRACEPARENT, DATA, MEMBERS };
    struct json_member members[MEMBERS] = {{"id"}, {"traceparent"}, {"data"}};
    if (!whole.at || *whole.at != '{' || json_members_known(fiber_arena(), whole, members, MEMBERS) < 0)
        return false;
    *ret_event = (struct hook_event){
        .whole = whole, .data = members[DATA].raw, .id = members[ID].string, .traceparent = members[TRACEPARENT].string};
    return ret_event->id != NULL;
}

/* The notification that a hook returned, for the user whom the event is about. NULL: none. */
static struct outbox_entry *notification_of(const char *name, const struct hook_event *event, const struct call_outcome *outcome)
{
    struct hook_notification notification;
    struct arena *arena = fiber_arena();
    const char *user_id = event->data.at && *event->data.at == '{' ? json_member_string(arena, event->data, "user_id") : NULL;
    json_t *value;
    if (json_parse(arena, outcome->result, &value, NULL) || !function_rules_notification_of(value, &notification))
        return NULL;
    if (!user_id || !uuid_is_valid(user_id)) {
        log_warn("a hook's notification has nobody to go to", "{s:s}", "function", name);
        return NULL;
    }
    struct notification_request request = {
        .user_id = user_id,
        .type = arena_printf(arena, "function.%s", name),
        .title = notification.title,
        .body = notification.body,
    };
    if (notification.data)
        request.data.at = json_print(arena, notification.data, &request.data.size);
    struct outbox_entry *entry = arena_alloc(arena, sizeof(*entry));
    *entry = (struct outbox_entry){
        .kind = OUTBOX_QUEUE,
        .destination = QUEUE_NOTIFICATIONS,
        .key = user_id,
        .event =
            {
                .source = SOURCE_FUNCTIONS,
                .type = EVENT_NOTIFICATION_REQUESTED,
                .subject = name,
                .causation_id = event->id,
                .traceparent = event->traceparent,
                .data = notification_request_encode(arena, &request),
            },
    };
    return entry;
}

static FIBER_FN void run_hook(struct database *database, struct queue_delivery *delivery, const char *name, const char *trigger,
                              const struct hook_event *event)
{
    struct call_outcome outcome = {.kind = OUTCOME_GONE};
    struct arena *arena = fiber_arena();
    bool done = false;
    int error = functions_store_hook_was_done(database, event->id, name, &done);
    struct pool_entry *entry = pool_entry_find(name);
    struct call_request request = {
        .event = event->data.at ? event->data : text_of("null"),
        .cause = trigger,
        .message = event->whole,
        .request_id = event->id,
    };
    if (!error && !done && entry)
        call_function(database, entry, &request, &outcome);
    if (!error && outcome.kind == OUTCOME_SUCCEEDED && !done && entry)
        error = functions_store_hook_done(database, event->id, name, notification_of(name, event, &outcome));
    if (error)
        refuse(delivery, QUEUE_AGAIN, "the outcome could not be stored");
    else if (learnt_nothing(&outcome))
        refuse(delivery, QUEUE_AGAIN, outcome.message);
    else if (done || outcome.kind == OUTCOME_SUCCEEDED || outcome.kind == OUTCOME_GONE)
        delivery->verdict = QUEUE_ACK;
    else
        refuse(delivery, QUEUE_RETRY, arena_printf(arena, "%s: %s", name, outcome.message));
}

static FIBER_FN void run_job(struct database *database, struct queue_delivery *delivery)
{
    struct event job;
    struct err err;
    if (event_parse(fiber_arena(), delivery->message.body, &job, &err)) {
        refuse(delivery, QUEUE_DEAD, err.message);
        return;
    }
    enum { NAME, INVOCATION_ID, TRIGGER, EVENT, MEMBERS };
    struct json_member members[MEMBERS] = {{"name"}, {"invocation_id"}, {"trigger"}, {"event"}};
    struct hook_event event;
    json_members_known(fiber_arena(), job.data, members, MEMBERS);
    const char *name = members[NAME].string, *id = members[INVOCATION_ID].string, *trigger = members[TRIGGER].string;
    if (name && id)
        run_invocation(database, delivery, name, id);
    else if (name && trigger && read_hook_event(members[EVENT].raw, &event))
        run_hook(database, delivery, name, trigger, &event);
    else
        refuse(delivery, QUEUE_DEAD, "the job names no call and no event");
}

/* A batch runs side by side, a fiber each. */
struct batch {
    struct database *database;
    struct fiber *waiter;
    unsigned left;
};

struct job {
    struct batch *batch;
    struct queue_delivery *delivery;
};

static void end_job(struct batch *batch)
{
    if (--batch->left == 0)
        fiber_wake(batch->waiter);
}

static FIBER_FN void job_fiber(void *arg)
{
    struct job *job = arg;
    run_job(job->batch->database, job->delivery);
    end_job(job->batch);
}

static void job_abandoned(void *arg)
{
    struct job *job = arg;
    refuse(job->delivery, QUEUE_RETRY, "out of memory");
    end_job(job->batch);
}

/*
 * What came after another instance had changed a function must find it changed here too: without that, a function that is new there would be
 * missing here, and its jobs would be done with. False: it cannot be told at the moment.
 */
static FIBER_FN bool knows_all_versions(struct database *database)
{
    return !database_is_postgres(database) || registry_refresh(database) == 0;
}

static FIBER_FN void run_batch(void *context, struct queue_delivery *deliveries, unsigned count)
{
    struct functions_context *functions = context;
    struct job jobs[BATCH_MAX];
    if (!knows_all_versions(functions->engines->database)) {
        for (unsigned i = 0; i < count; i++)
            refuse(&deliveries[i], QUEUE_AGAIN, "the functions' versions could not be read");
        return;
    }
    /* One more than there are jobs: it cannot come to nought before all have been started. */
    struct batch batch = {functions->engines->database, fiber_self(), count + 1};
    for (unsigned i = 0; i < count; i++) {
        jobs[i] = (struct job){&batch, &deliveries[i]};
        struct fiber_options options = {.name = "function job", .run = job_fiber, .arg = &jobs[i], .abandoned = job_abandoned};
        if (fiber_start_with(&options, NULL)) {
            refuse(&deliveries[i], QUEUE_RETRY, "out of memory");
            batch.left--;
        }
    }
    if (--batch.left)
        fiber_wait_uninterrupted();
}

FIBER_FN int function_workers_consume(struct functions_context *context, struct err *err)
{
    struct queue_consumer consumer = {
        .queue = QUEUE_INVOCATIONS,
        .batch_max = BATCH_MAX,
        .prefetch = BATCH_MAX * 2,
        .handle = run_batch,
        .context = context,
    };
    int error = 0;
    for (unsigned i = 0; i < CONSUMERS && !error; i++)
        error = queue_consume(context->engines->queue, &consumer, err);
    if (error)
        return error;
    return consume_dead_letters(context->engines->database, context->engines->queue, QUEUE_INVOCATIONS, "functions.invocations", err);
}
