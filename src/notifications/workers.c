/* Consumers: the three topics and the queue of what functions returned. Each event becomes at most one notification of its user, in the transaction
 * that remembers the event; the push comes after the commit. */
#include "base/json_text.h"
#include "contracts/names.h"
#include "contracts/payments.h"
#include "messaging/admission.h"
#include "messaging/consumer.h"
#include "notifications/push.h"
#include "notifications/service.h"
#include "notifications/store.h"

#include <errno.h>
#include <string.h>

static const char *user_of(const struct event *event)
{
    return event_string(fiber_arena(), event, "user_id");
}

/* What a fact says, and to whom. -ENOENT: nothing. */
static int read_fact(struct arena *arena, const struct event *event, struct addition *ret_addition)
{
    *ret_addition = (struct addition){.user_id = event_string(arena, event, "user_id"), .event_id = event->id};
    if (!ret_addition->user_id || !uuid_is_valid(ret_addition->user_id))
        return -EBADMSG;
    return wording_of(arena, event, &ret_addition->wording);
}

/* What a function asked to say. */
static int read_request(struct arena *arena, const struct event *event, struct addition *ret_addition)
{
    struct notification_request request;
    if (notification_request_decode(arena, event->data, &request) || !uuid_is_valid(request.user_id))
        return -EBADMSG;
    *ret_addition = (struct addition){
        .user_id = request.user_id,
        .event_id = event->id,
        .wording = {.type = request.type, .title = request.title, .body = request.body, .data = request.data},
    };
    return 0;
}

typedef int read_event(struct arena *arena, const struct event *event, struct addition *ret_addition);

/* Leaves each event's addition as its result. */
static int add_all(struct transaction *tx, struct event_item *items, unsigned count, read_event *read)
{
    struct arena *arena = transaction_arena(tx);
    struct addition *list = arena_alloc(arena, sizeof *list * (count + 1));
    unsigned added = 0;
    for (unsigned i = 0; i < count; i++) {
        int error = read(arena, items[i].event, &list[added]);
        if (error && error != -ENOENT)
            return error;
        if (!error)
            items[i].result = &list[added++];
    }
    return notifications_add(tx, list, added);
}

/* In order: what a user was told before it was deleted goes with it. */
static int on_facts(struct transaction *tx, void *context, struct event_item *items, unsigned count)
{
    int error = 0;
    unsigned from = 0;
    for (unsigned i = 0; i < count && !error; i++) {
        if (strcmp(items[i].event->type, EVENT_USER_DELETED) != 0)
            continue;
        const char *user_id = event_string(transaction_arena(tx), items[i].event, "user_id");
        error = user_id && uuid_is_valid(user_id) ? add_all(tx, items + from, i - from, read_fact) : -EBADMSG;
        if (!error)
            error = notifications_forget_user(tx, user_id);
        from = i + 1;
    }
    return error ? error : add_all(tx, items + from, count - from, read_fact);
}

static int on_requests(struct transaction *tx, void *context, struct event_item *items, unsigned count)
{
    return add_all(tx, items, count, read_request);
}

/* The orders whose buyers know now how they were paid are done. Ids ascend with time: the youngest stands for all. One that was cancelled did
 * not wait with the others, and stands for itself. */
static void note_done(const struct event_item *items, unsigned count)
{
    const char *youngest = NULL;
    for (unsigned i = 0; i < count; i++) {
        const char *id = event_string(fiber_arena(), items[i].event, "order_id"), *type = items[i].event->type;
        if (!id || !uuid_is_valid(id))
            continue;
        if (strcmp(type, EVENT_ORDER_CANCELLED) == 0)
            admission_dropped(id);
        else if ((strcmp(type, EVENT_ORDER_PAID) == 0 || strcmp(type, EVENT_ORDER_PAYMENT_FAILED) == 0) && (!youngest || strcmp(id, youngest) > 0))
            youngest = id;
    }
    if (youngest)
        admission_done(youngest);
}

static FIBER_FN void on_committed(void *context, const struct event_item *items, unsigned count)
{
    struct notifications *notifications = context;
    struct arena *arena = fiber_arena();
    struct push_event *pushes = arena_alloc(arena, sizeof *pushes * (count + 1));
    unsigned added = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct addition *addition = items[i].result;
        if (!addition || !addition->seq)
            continue;
        struct text notification = addition_print(arena, addition);
        struct text frame = json_text(arena, "sj", "type", "notification", "notification", &notification);
        pushes[added++] = (struct push_event){addition->user_id, addition->seq, addition->unread, frame};
    }
    push_publish(notifications->engines.cache, pushes, added);
    note_done(items, count);
}

int notification_workers_consume(struct notifications *notifications, struct err *err)
{
    static const char *const topics[] = {TOPIC_USERS, TOPIC_ORDERS, TOPIC_PAYMENTS, NULL};
    const struct service_engines *engines = &notifications->engines;
    const struct event_handler facts = {
        .name = "notifications.facts", .effects = on_facts, .committed = on_committed, .context = notifications, .sort_key = user_of};
    const struct event_handler requests = {
        .name = "notifications.requests", .effects = on_requests, .committed = on_committed, .context = notifications, .sort_key = user_of};
    int error = consume_stream(engines->database, engines->stream, "notifications", topics, &facts, err);
    return error ? error : consume_queue(engines->database, engines->queue, QUEUE_NOTIFICATIONS, &requests, err);
}
