/* CloudEvents 1.0 in JSON: what every message on queue and topic is. */
#ifndef PURSER_MESSAGING_EVENT_H
#define PURSER_MESSAGING_EVENT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "base/uuid.h"

struct event {
    const char *id;          /* UUIDv7; NULL when making one: event_print gives it */
    const char *source;      /* "/orders" */
    const char *type;        /* "purser.order.created" */
    const char *subject;     /* the aggregate's id */
    int64_t time_wall_ms;    /* 0: now */
    const char *traceparent; /* or NULL */
    int64_t sequence;        /* of this aggregate, from 1; 0: none */
    const char *causation_id; /* id of the event that led to it, or NULL */
    struct text data;         /* an object, as JSON */
};

/* Text in the arena; fills id and time where missing. */
struct text event_print(struct arena *arena, struct event *event);
/* 0 or -EBADMSG with words. Unknown members are ignored. Everything belongs to the arena, but for `data`, which is a part of `source`. */
int event_parse(struct arena *arena, struct text source, struct event *ret_event, struct err *err);
/* A string of its data, in the arena; NULL where there is none of that name. */
const char *event_string(struct arena *arena, const struct event *event, const char *name);

#endif
