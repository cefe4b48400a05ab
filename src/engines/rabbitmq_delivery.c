/* A delivery as rabbitmq-c hands it over, made into an item that lives on its own: one block of memory with all its texts behind it. */
#include "engines/rabbitmq_consumers.h"

#include <amqp_framing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct texts {
    char *at;
};

static const char *keep(struct texts *texts, amqp_bytes_t bytes)
{
    char *start = texts->at;
    if (bytes.len) /* else bytes may be NULL */
        memcpy(start, bytes.bytes, bytes.len);
    start[bytes.len] = '\0';
    texts->at += bytes.len + 1;
    return start;
}

static amqp_bytes_t header_text(const amqp_basic_properties_t *properties, const char *name)
{
    for (int i = 0; (properties->_flags & AMQP_BASIC_HEADERS_FLAG) && i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (entry->key.len == strlen(name) && memcmp(entry->key.bytes, name, entry->key.len) == 0 &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8)
            return entry->value.value.bytes;
    }
    return amqp_empty_bytes;
}

static unsigned header_attempt(const amqp_basic_properties_t *properties)
{
    for (int i = 0; (properties->_flags & AMQP_BASIC_HEADERS_FLAG) && i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (entry->key.len == 9 && memcmp(entry->key.bytes, "x-attempt", 9) == 0 && entry->value.kind == AMQP_FIELD_KIND_I32)
            return entry->value.value.i32 > 0 ? (unsigned)entry->value.value.i32 : 1;
    }
    return 1;
}

struct item *rabbitmq_delivery_item(const struct consumer *consumer, const amqp_envelope_t *envelope, uint64_t epoch)
{
    const amqp_basic_properties_t *properties = &envelope->message.properties;
    amqp_bytes_t id = properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG ? properties->message_id : amqp_empty_bytes;
    bool has_correlation = properties->_flags & AMQP_BASIC_CORRELATION_ID_FLAG, has_reply = properties->_flags & AMQP_BASIC_REPLY_TO_FLAG;
    amqp_bytes_t trace = header_text(properties, "traceparent"), error = header_text(properties, "x-error");
    size_t size = id.len + trace.len + envelope->message.body.len + 5 + (has_correlation ? properties->correlation_id.len : 0) +
                  (has_reply ? properties->reply_to.len : 0);
    struct item *item = calloc(1, sizeof *item + size);
    if (!item)
        return NULL;
    struct texts texts = {item->bytes};
    item->tag = envelope->delivery_tag;
    item->epoch = epoch;
    item->delivery.attempt = header_attempt(properties);
    snprintf(item->delivery.error, sizeof item->delivery.error, "%.*s", (int)error.len, error.len ? (char *)error.bytes : "");
    item->delivery.message = (struct queue_message){
        .queue = consumer->wanted.queue,
        .id = keep(&texts, id),
        .correlation_id = has_correlation ? keep(&texts, properties->correlation_id) : NULL,
        .reply_to = has_reply ? keep(&texts, properties->reply_to) : NULL,
        .traceparent = trace.len ? keep(&texts, trace) : NULL,
    };
    item->delivery.message.body = (struct text){keep(&texts, envelope->message.body), envelope->message.body.len};
    return item;
}

void rabbitmq_delivery_drop(struct consumer *consumer)
{
    while (consumer->first) {
        struct item *next = consumer->first->next;
        free(consumer->first);
        consumer->first = next;
        __atomic_sub_fetch(&consumer->held, 1, __ATOMIC_RELAXED);
    }
    consumer->last = &consumer->first;
}
