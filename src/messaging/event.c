/* CloudEvents 1.0, structured mode in JSON. Unknown members are ignored, so that a newer sender may add some. */
#include "messaging/event.h"

#include "base/clock.h"
#include "base/json_members.h"
#include "base/json_text.h"

#include <errno.h>

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
    return json_text(arena, "sssssssspsj", "specversion", "1.0", "id", event->id, "source", event->source, "type", event->type, "subject",
                     event->subject, "time", time, "datacontenttype", "application/json", "traceparent", event->traceparent, "sequence",
                     event->sequence, "causationid", event->causation_id, "data", &event->data);
}

enum member { SPECVERSION, ID, SOURCE, TYPE, SUBJECT, TIME, TRACEPARENT, SEQUENCE, CAUSATION_ID, DATA, MEMBERS };

int event_parse(struct arena *arena, struct text source, struct event *ret_event, struct err *err)
{
    struct json_member members[MEMBERS] = {
        [SPECVERSION] = {.name = "specversion"},
        [ID] = {.name = "id"},
        [SOURCE] = {.name = "source"},
        [TYPE] = {.name = "type"},
        [SUBJECT] = {.name = "subject"},
        [TIME] = {.name = "time"},
        [TRACEPARENT] = {.name = "traceparent"},
        [SEQUENCE] = {.name = "sequence"},
        [CAUSATION_ID] = {.name = "causationid"},
        [DATA] = {.name = "data"},
    };
    struct err why = {0};
    if (json_members(arena, source, members, MEMBERS, &why) < 0)
        return err_set(err, -EBADMSG, "not JSON: %s", why.message);
    struct event event = {
        .id = members[ID].string,
        .source = members[SOURCE].string,
        .type = members[TYPE].string,
        .subject = members[SUBJECT].string,
        .traceparent = members[TRACEPARENT].string,
        .sequence = members[SEQUENCE].integer,
        .causation_id = members[CAUSATION_ID].string,
        .data = members[DATA].raw,
    };
    const char *version = members[SPECVERSION].string, *time = members[TIME].string;
    if (!version || strcmp(version, "1.0"))
        return err_set(err, -EBADMSG, "not a CloudEvent 1.0");
    if (!event.id || !uuid_is_valid(event.id))
        return err_set(err, -EBADMSG, "its id is no UUID");
    if (!event.source || !event.type || !event.subject)
        return err_set(err, -EBADMSG, "source, type or subject is missing");
    if (!event.data.at || *event.data.at != '{')
        return err_set(err, -EBADMSG, "its data is no object");
    if (time && time_parse(time, &event.time_wall_ms) < 0)
        return err_set(err, -EBADMSG, "its time is none");
    *ret_event = event;
    return 0;
}

const char *event_string(struct arena *arena, const struct event *event, const char *name)
{
    return json_member_string(arena, event->data, name);
}
