/*
 * The head of an answer as bytes. What concerns the connection (length, Connection, Date, the request's id) is written here and nowhere
 * else; a field with bytes that would end its line is left out, whoever made it.
 */
#include "http/connection.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <time.h>

static const char *date(void)
{
    static _Thread_local char text[64];
    static _Thread_local int64_t made_s = -1;
    int64_t now_s = clock_wall_ms() / 1000;
    if (now_s != made_s) {
        time_t seconds = (time_t)now_s;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        made_s = now_s;
    }
    return text;
}

/* Fields that this file writes itself. */
static bool is_own(struct text name)
{
    switch (name.size) {
    case 4:
        return text_equal_nocase(name, text_of("Date"));
    case 10:
        return text_equal_nocase(name, text_of("Connection"));
    case 12:
        return text_equal_nocase(name, text_of("X-Request-Id"));
    case 14:
        return text_equal_nocase(name, text_of("Content-Length"));
    case 17:
        return text_equal_nocase(name, text_of("Transfer-Encoding"));
    default:
        return false;
    }
}

static void add_field(struct buffer *out, const struct http_header *header)
{
    if (is_own(header->name))
        return;
    if (!http_field_is_clean(header->name) || !http_field_is_clean(header->value)) {
        log_error("a header field was left out", "{s:s%}", "name", header->name.at, header->name.size);
        return;
    }
    buffer_add(out, header->name.at, header->name.size);
    buffer_add(out, ": ", 2);
    buffer_add(out, header->value.at, header->value.size);
    buffer_add(out, "\r\n", 2);
}

static bool has_length(const struct http_response *response, const struct answer_facts *facts)
{
    if (response->status < 200 || response->status == 204 || response->status == 304)
        return false;
    return response->body.size || !facts->to_head; /* a HEAD's answer from elsewhere came without its length */
}

void answer_head(const struct http_response *response, const struct answer_facts *facts, struct buffer *out)
{
    char number[32];
    snprintf(number, sizeof number, "HTTP/1.1 %d ", response->status);
    buffer_add_string(out, number);
    buffer_add_string(out, http_reason(response->status));
    buffer_add(out, "\r\n", 2);
    buffer_add_string(out, date());
    if (has_length(response, facts)) {
        snprintf(number, sizeof number, "Content-Length: %zu\r\n", response->body.size);
        buffer_add_string(out, number);
    }
    if (facts->close)
        buffer_add_string(out, "Connection: close\r\n");
    else if (facts->old_client)
        buffer_add_string(out, "Connection: keep-alive\r\n");
    if (response->status == 426) /* its Upgrade is for this connection */
        buffer_add_string(out, "Connection: Upgrade\r\n");
    buffer_add_string(out, "X-Request-Id: ");
    buffer_add_string(out, facts->trace->request_id);
    buffer_add(out, "\r\n", 2);
    for (unsigned i = 0; i < response->headers.count; i++)
        add_field(out, &response->headers.list[i]);
    buffer_add(out, "\r\n", 2);
}
