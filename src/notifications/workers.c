/* Consumers: the three topics and the queue of what functions returned. Each event becomes at most one notification of its user, in the transaction
 * that remembers the event; the push comes after the commit. */
#include "contracts/names.h"
#include "contracts/payments.h"
#include "messaging/consumer.h"
#include "notifications/push.h"
#include "notifications/service.h"
#include "notifications/store.h"

#include <errno.h>
#include <string.h>

static const char *user_of(const struct event *event)
{
    return json_get_string(event->data, "user_id");
}

/* A fact from a topic. */
static int on_fact(struct transaction *tx, void *context, const struct event *event, const struct queue_message *message)
{
    struct wording wording;
    const char *user_id = user_of(event);
    if (!user_id || !uuid_is_valid(user_id))
        return -EBADMSG;
    if (strcmp(event->type, EVENT_USER_DELETED) == 0)
        return notifications_forget_user(tx, user_id);
    int error = wording_of(transaction_arena(tx), event, &wording);
    if (error == -ENOENT)
        return 0;
    return error ? error : notifications_add(tx, user_id, event->id, &wording);
}

/* What a function asked to say. */
static int on_request(struct transaction *tx, void *context, const struct event *event, const struct queue_message *message)
{
    struct notification_request request;
    int error = notification_request_decode(event->data, &request);
    if (error || !uuid_is_valid(request.user_id))
        return -EBADMSG;
    const struct wording wording = {.type = request.type, .title = request.title, .body = request.body, .data = request.data};
    return notifications_add(tx, request.user_id, event->id, &wording);
}

static FIBER_FN void on_committed(void *context, const struct event *event)
{
    struct notifications *notifications = context;
    const char *user_id = user_of(event);
    struct notification notification;
    int64_t unread;
    if (notifications_of_event(notifications->engines.database, user_id, event->id, &notification, &unread))
        return; /* nothing was said about it, or the sockets' own look at the log will find it */
    json_t *frame = json_make(fiber_arena(), "{s:s, s:O}", "type", "notification", "notification", notification.json);
    push_publish(notifications->engines.cache, user_id, notification.seq, unread, frame);
}

int notification_workers_consume(struct notifications *notifications, struct err *err)
{
    static const char *const topics[] = {TOPIC_USERS, TOPIC_ORDERS, TOPIC_PAYMENTS, NULL};
    const struct service_engines *engines = &notifications->engines;
    const struct event_handler facts = {
        .name = "notifications.facts", .effect = on_fact, .committed = on_committed, .context = notifications, .sort_key = user_of};
    const struct event_handler requests = {
        .name = "notifications.requests", .effect = on_request, .committed = on_committed, .context = notifications, .sort_key = user_of};
    int error = consume_stream(engines->database, engines->stream, "notifications", topics, &facts, err);
    return error ? error : consume_queue(engines->database, engines->queue, QUEUE_NOTIFICATIONS, &requests, err);
}
