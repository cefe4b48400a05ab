/* The notification service: the log of what users are told, and the sockets that hear it live. */
#include "notifications/service.h"

#include "notifications/hub.h"
#include "notifications/notifications.h"

/* As its hubs it outlives a stop: a last push may be on its way. */
static struct notifications notifications;

static FIBER_FN int start(struct service_engines *engines, void **ret_context, struct err *err)
{
    notifications.engines = *engines;
    int error = hub_start(&notifications, err);
    if (!error)
        error = notification_workers_consume(&notifications, err);
    if (error)
        hub_stop(); /* their watchers would outlive the cache */
    else
        *ret_context = &notifications;
    return error;
}

/* What sockets hold stays until the process ends, which is soon. */
static FIBER_FN void stop(void *context)
{
    (void)context;
    hub_stop();
}

static FIBER_FN void status(void *context, struct arena *arena, json_t *object)
{
    (void)context;
    (void)arena;
    json_put_new(object, "websockets", json_integer(hub_count()));
}

const struct service notifications_service = {
    .name = "notifications",
    .routes = notifications_routes,
    .has_database = true,
    .has_outbox = true,
    .start = start,
    .stop = stop,
    .status = status,
};
