/* W3C trace context, level 1. A caller's trace id is kept, its span id is not: each process is a span of its own. */
#include "base/trace.h"

#include "base/uuid.h"

#include <string.h>

static bool is_hex(struct text part, size_t size)
{
    if (part.size != size)
        return false;
    bool nonzero = false;
    for (size_t i = 0; i < size; i++) {
        char c = part.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        nonzero |= c != '0';
    }
    return nonzero || size == 2;
}

/* Version 00 is exactly four fields; later ones may carry more, which are not ours to pass on. */
static bool parse(struct text header, struct text *ret_trace_id, struct text *ret_flags)
{
    struct text version, span, rest = header;
    if (!text_split(&rest, '-', &version) || !is_hex(version, 2) || text_equal(version, text_of("ff")))
        return false;
    if (!text_split(&rest, '-', ret_trace_id) || !is_hex(*ret_trace_id, 32))
        return false;
    if (!text_split(&rest, '-', &span) || !is_hex(span, 16))
        return false;
    if (!text_split(&rest, '-', ret_flags) || !is_hex(*ret_flags, 2))
        return false;
    return !text_equal(version, text_of("00")) || !rest.at;
}

static bool is_request_id(struct text id)
{
    if (!id.size || id.size > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.at[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == ':' ||
                    c == '-';
        if (!fine)
            return false;
    }
    return true;
}

/* 32 hexadecimal digits without dashes; a UUID's, since its random bits do for a trace id too. */
static void make_id(char ret_hex[33])
{
    char id[UUID_SIZE];
    uuid_make(id);
    char *to = ret_hex;
    for (const char *from = id; *from; from++)
        if (*from != '-')
            *to++ = *from;
    *to = 0;
}

void trace_begin(struct trace *trace, struct text traceparent, struct text request_id)
{
    char made[33], span[33];
    struct text trace_id, flags = text_of("01");
    make_id(span);
    if (!traceparent.size || !parse(traceparent, &trace_id, &flags)) {
        make_id(made);
        trace_id = (struct text){made, 32};
        flags = text_of("01");
    }
    char *to = trace->traceparent;
    memcpy(to, "00-", 3);
    memcpy(to + 3, trace_id.at, 32);
    to[35] = '-';
    memcpy(to + 36, span + 16, 16);
    to[52] = '-';
    memcpy(to + 53, flags.at, 2);
    to[55] = 0;
    if (is_request_id(request_id)) {
        memcpy(trace->request_id, request_id.at, request_id.size);
        trace->request_id[request_id.size] = 0;
    } else {
        uuid_make(trace->request_id);
    }
}
