/* Pushes: how one instance tells the sockets of all instances what happened to a user's notifications. They are hints: one that is lost is made good
 * from the log. */
#ifndef PURSER_NOTIFICATIONS_PUSH_H
#define PURSER_NOTIFICATIONS_PUSH_H

#include "base/text.h"
#include "engines/cache.h"

/* What a user is told. */
struct push_event {
    const char *user_id;
    int64_t seq; /* of a new notification, else 0 */
    int64_t unread;
    struct text frame; /* JSON for the client, with a NUL behind it */
};
/* Tells what happened, all in one wait. Failure is none of the caller's business. */
FIBER_FN void push_publish(struct cache *cache, const struct push_event *list, unsigned count);

/* In place of a user id: some push was lost on its way into the cache, so every instance looks into the log for its sockets. */
#define PUSH_MISSED "missed"
/* Says so, if a push from here was lost; asked every second. */
FIBER_FN void push_tell_missed(struct cache *cache);

struct push {
    int64_t seq, unread;
    struct text frame; /* JSON text as the client gets it */
};
/* 0 or -EBADMSG. `frame` points into `message`. */
int push_parse(struct text message, struct push *ret_push);

#endif
