/* What the notification service's parts are given. */
#ifndef PURSER_NOTIFICATIONS_SERVICE_H
#define PURSER_NOTIFICATIONS_SERVICE_H

#include "service/service.h"

struct notifications {
    struct service_engines engines;
};

extern const struct route notifications_routes[];

/* Consumers of topics and of the queue. 0 or negative with words. */
int notification_workers_consume(struct notifications *notifications, struct err *err);

#endif
