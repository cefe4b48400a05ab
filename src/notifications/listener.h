/* One socket of one user: sends every notification once and in order, whatever order pushes come in. On the worker that accepted it. */
#ifndef PURSER_NOTIFICATIONS_LISTENER_H
#define PURSER_NOTIFICATIONS_LISTENER_H

#include "base/uuid.h"
#include "http/websocket.h"
#include "notifications/push.h"
#include "notifications/service.h"
#include "runtime/worker.h"

struct listener {
    struct notifications *notifications;
    struct websocket *socket; /* NULL once it is closed */
    char user_id[UUID_SIZE], session_id[UUID_SIZE];
    int64_t sent;   /* the last number that went out */
    int64_t known;  /* the last number that is known to exist */
    bool working;   /* a fiber reads the log for it, or it has not begun yet */
    bool begun;     /* hello went out */
    bool recount;   /* that fiber sends the unread count at its end */
    unsigned messages; /* of the client, at work; each keeps the struct alive */
    unsigned round; /* of the hub's last look at it */
    struct timer expiry;
    struct listener *next; /* in the hub's bucket */
};

/* Takes the upgrade of an authorised request: 0, or negative after an answer. `after` < 0: only what comes. */
int listener_accept(struct notifications *notifications, struct http_request *request, struct http_response *response, int64_t after);
/* A push for its user. */
void listener_push(struct listener *listener, const struct push *push);
/* Pushes may have been missed: looks into the log. */
void listener_check(struct listener *listener);
/* When its token ends: closes with 4401 then, unless told another time before. 0: never. */
void listener_expires(struct listener *listener, int64_t wall_ms);
/* One of its client's messages is done with. */
void listener_unref(struct listener *listener);
void listener_close(struct listener *listener, int code, const char *reason);

#endif
