/* CloudEvents 1.0, structured mode in JSON. Unknown members are ignored, so that a newer sender may add some. */
#include "messaging/event.h"

#include "base/clock.h"
#include "base/trace.h"

#include <assert.h>
#include <errno.h>

#define PARTS_MAX 64 /* a member has five */

/* What an event is printed of, copied once when all are known. */
struct parts {
    struct text list[PARTS_MAX];
    unsigned count;
    size_t size;
};

static void add(struct parts *parts, struct text part)
{
    assert(parts->count < PARTS_MAX);
    parts->list[parts->count++] = part;
    parts->size += part.size;
}

static void add_string(struct parts *parts, const char *part)
{
    add(parts, text_of(part));
}

static bool is_plain(const char *value)
{
    for (const char *at = value; *at; at++)
        if (*at < 0x20 || *at >= 0x7f || *at == '"' || *at == '\\')
            return false;
    return true;
}

/* A member in front of `data`, with the comma behind it; nothing where there is no value. Values are ids and names, which need no escapes; one
 * that does gets them. */
static void add_member(struct parts *parts, struct arena *arena, const char *name, const char *value)
{
    if (!value)
        return;
    bool plain = is_plain(value);
    add_string(parts, "\"");
    add_string(parts, name);
    add_string(parts, plain ? "\":\"" : "\":");
    add_string(parts, plain ? value : json_print(arena, json_keep(arena, json_string(value)), NULL));
    add_string(parts, plain ? "\"," : ",");
}

static struct text join(struct arena *arena, const struct parts *parts)
{
    char *bytes = arena_alloc(arena, parts->size + 1), *at = bytes;
    for (unsigned i = 0; i < parts->count; i++) {
        memcpy(at, parts->list[i].at, parts->list[i].size);
        at += parts->list[i].size;
    }
    return (struct text){bytes, parts->size};
}

struct text event_print(struct arena *arena, struct event *event)
{
    char time[TIME_TEXT_SIZE];
    struct text data;
    struct parts parts;
    parts.count = 0;
    parts.size = 0;
    if (!event->id) {
        char *id = arena_alloc(arena, UUID_SIZE);
        uuid_make(id);
        event->id = id;
    }
    if (!event->time_wall_ms)
        event->time_wall_ms = clock_wall_ms();
    time_print(event->time_wall_ms, time);
    data = event->printed;
    if (!data.at)
        data.at = json_print(arena, event->data, &data.size);
    add_string(&parts, "{\"specversion\":\"1.0\",");
    add_member(&parts, arena, "id", event->id);
    add_member(&parts, arena, "source", event->source);
    add_member(&parts, arena, "type", event->type);
    add_member(&parts, arena, "subject", event->subject);
    add_member(&parts, arena, "time", time);
    add_string(&parts, "\"datacontenttype\":\"application/json\",");
    add_member(&parts, arena, "traceparent", event->traceparent);
    if (event->sequence)
        add_string(&parts, arena_printf(arena, "\"sequence\":%lld,", (long long)event->sequence));
    add_member(&parts, arena, "causationid", event->causation_id);
    add_string(&parts, "\"data\":");
    add(&parts, data);
    add_string(&parts, "}");
    return join(arena, &parts);
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
