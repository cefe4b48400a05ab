/* CloudEvents 1.0, structured mode in JSON. Unknown members are ignored, so that a newer sender may add some. */
#include "messaging/event.h"

#include "base/clock.h"
#include "base/trace.h"

#include <errno.h>

static void set_string(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new_nocheck(object, key, json_string(value));
}

struct text event_print(struct arena *arena, struct event *event)
{
    char time[TIME_TEXT_SIZE];
    if (!event->id) {
        char *id = arena_alloc(arena, UUID_SIZE);
        uuid_make(id);
        event->id = id;
    }
    if (!event->time_wall_ms)
        event->time_wall_ms = clock_wall_ms();
    time_print(event->time_wall_ms, time);
    json_t *tree = json_make(arena, "{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "specversion", "1.0", "id", event->id, "source", event->source,
                             "type", event->type, "subject", event->subject, "time", time, "datacontenttype", "application/json");
    set_string(tree, "traceparent", event->traceparent);
    if (event->sequence)
        json_object_set_new_nocheck(tree, "sequence", json_integer(event->sequence));
    set_string(tree, "causationid", event->causation_id);
    json_object_set_nocheck(tree, "data", event->data);
    struct text printed;
    printed.at = json_print(arena, tree, &printed.size);
    return printed;
}

int event_parse(struct arena *arena, struct text source, struct event *ret_event, struct err *err)
{
    json_t *tree;
    struct err why = {0};
    if (json_parse(arena, source, &tree, &why) < 0)
        return err_set(err, -EBADMSG, "not JSON: %s", why.message);
    struct event event = {
        .id = json_get_string(tree, "id"),
        .source = json_get_string(tree, "source"),
        .type = json_get_string(tree, "type"),
        .subject = json_get_string(tree, "subject"),
        .traceparent = json_get_string(tree, "traceparent"),
        .sequence = json_get_integer(tree, "sequence"),
        .causation_id = json_get_string(tree, "causationid"),
        .data = json_object_get(tree, "data"),
    };
    const char *version = json_get_string(tree, "specversion"), *time = json_get_string(tree, "time");
    if (!version || strcmp(version, "1.0"))
        return err_set(err, -EBADMSG, "not a CloudEvent 1.0");
    if (!event.id || !uuid_is_valid(event.id))
        return err_set(err, -EBADMSG, "its id is no UUID");
    if (!event.source || !event.type || !event.subject)
        return err_set(err, -EBADMSG, "source, type or subject is missing");
    if (!json_is_object(event.data))
        return err_set(err, -EBADMSG, "its data is no object");
    if (time && time_parse(time, &event.time_wall_ms) < 0)
        return err_set(err, -EBADMSG, "its time is none");
    *ret_event = event;
    return 0;
}
