/* CloudEvents 1.0, structured mode in JSON. Unknown members are ignored, so that a newer sender may add some. */
#include "messaging/event.h"

#include "base/clock.h"
#include "base/trace.h"

#include <errno.h>

/* A member in front of `data`, with the comma behind it; "" where there is no value. Values are ids and names, which need no escapes; one that
 * does gets them. */
static const char *member(struct arena *arena, const char *name, const char *value)
{
    if (!value)
        return "";
    bool plain = true;
    for (const char *at = value; *at && plain; at++)
        plain = *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\';
    if (plain)
        return arena_printf(arena, "\"%s\":\"%s\",", name, value);
    return arena_printf(arena, "\"%s\":%s,", name, json_print(arena, json_keep(arena, json_string(value)), NULL));
}

struct text event_print(struct arena *arena, struct event *event)
{
    char time[TIME_TEXT_SIZE];
    struct text printed, data;
    if (!event->id) {
        char *id = arena_alloc(arena, UUID_SIZE);
        uuid_make(id);
        event->id = id;
    }
    if (!event->time_wall_ms)
        event->time_wall_ms = clock_wall_ms();
    time_print(event->time_wall_ms, time);
    data.at = json_print(arena, event->data, &data.size);
    const char *sequence = event->sequence ? arena_printf(arena, "\"sequence\":%lld,", (long long)event->sequence) : "";
    printed.at = arena_printf(arena, "{\"specversion\":\"1.0\",%s%s%s%s%s\"datacontenttype\":\"application/json\",%s%s%s\"data\":%s}",
                              member(arena, "id", event->id), member(arena, "source", event->source), member(arena, "type", event->type),
                              member(arena, "subject", event->subject), member(arena, "time", time),
                              member(arena, "traceparent", event->traceparent), sequence,
                              member(arena, "causationid", event->causation_id), data.at);
    printed.size = strlen(printed.at);
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
