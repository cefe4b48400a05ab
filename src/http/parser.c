/*
 * Heads: found by looking for the empty line, then parsed in one pass over bytes that are all there. There is no state between calls but
 * how far was looked, so a head that comes byte by byte parses as one that comes at once. What two parsers could read in two ways is
 * refused.
 */
#include "http/parser.h"

#include "http/bytes.h"

#include <errno.h>

/* ---- the end of a head ---- */

long http_head_find(struct text bytes, size_t *scanned)
{
    size_t at = *scanned, begin = bytes.size >= 2 && bytes.at[0] == '\r' && bytes.at[1] == '\n' ? 2 : 0; /* RFC 9112 section 2.2 */
    bool first_line = at <= begin || !memchr(bytes.at + begin, '\n', at - begin);
    for (;;) {
        const char *lf = at < bytes.size ? memchr(bytes.at + at, '\n', bytes.size - at) : NULL;
        size_t end = lf ? (size_t)(lf - bytes.at) : bytes.size;
        if (first_line && end > begin + HTTP_LINE_MAX)
            return -414;
        if (end > HTTP_HEAD_MAX)
            return -431;
        if (!lf)
            break;
        if (end == 0 || lf[-1] != '\r' || end == begin + 1)
            return -400;
        at = end + 1;
        if (at == begin)
            continue;
        first_line = false;
        if (lf[-2] == '\n')
            return (long)at;
    }
    *scanned = bytes.size;
    return 0;
}

/* One line without its CRLF off the front of `rest`. A CR elsewhere in a line is refused by the rules for its characters. */
static bool take_line(struct text *rest, struct text *ret_line)
{
    const char *end = memchr(rest->at, '\n', rest->size);
    if (!end || end == rest->at || end[-1] != '\r')
        return false;
    *ret_line = (struct text){rest->at, (size_t)(end - rest->at) - 1};
    rest->size -= (size_t)(end + 1 - rest->at);
    rest->at = end + 1;
    return true;
}

/* ---- request line ---- */

static enum http_method method_of(struct text name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (text_equal(name, text_of(names[i])))
            return (enum http_method)i;
    return HTTP_OTHER;
}

/* RFC 3986 sections 3.3 and 3.4; escapes are whole. */
static bool is_path(struct text bytes, bool query)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.at[i] == '%') {
            if (i + 2 >= bytes.size || !http_bytes_are((struct text){bytes.at + i + 1, 2}, HTTP_BYTE_HEX))
                return false;
            i += 2;
        } else if (!http_byte_is(bytes.at[i], HTTP_BYTE_PATH) && !(query && bytes.at[i] == '?')) {
            return false;
        }
    }
    return true;
}

/* host, host:port or [v6]:port; no user, no empty host. */
static bool is_authority(struct text authority)
{
    struct text host = authority;
    bool v6 = host.size && host.at[0] == '[';
    const char *end = memchr(host.at ? host.at : "", v6 ? ']' : ':', host.size);
    if (v6) {
        if (!end)
            return false;
        host = (struct text){host.at + 1, (size_t)(end - host.at) - 1};
        end++;
    } else if (end) {
        host.size = (size_t)(end - host.at);
    } else {
        end = authority.at + authority.size;
    }
    if (!host.size || !http_bytes_are(host, v6 ? HTTP_BYTE_IPV6 : HTTP_BYTE_HOST))
        return false;
    struct text port = {end, authority.size - (size_t)(end - authority.at)};
    if (!port.size)
        return true;
    return *port.at == ':' && port.size <= 6 && http_bytes_are((struct text){port.at + 1, port.size - 1}, HTTP_BYTE_DIGIT);
}

static void split_query(struct text origin, struct http_head *head)
{
    const char *mark = memchr(origin.at, '?', origin.size);
    head->path = (struct text){origin.at, mark ? (size_t)(mark - origin.at) : origin.size};
    head->query = mark ? (struct text){mark + 1, origin.size - head->path.size - 1} : (struct text){"", 0};
}

/* RFC 9112 section 3.2.2: the path counts, and the request's host is not looked at here. */
static bool parse_absolute(struct http_head *head)
{
    struct text rest = head->target;
    size_t scheme = text_equal_nocase((struct text){rest.at, rest.size < 7 ? rest.size : 7}, text_of("http://"))    ? 7
                    : text_equal_nocase((struct text){rest.at, rest.size < 8 ? rest.size : 8}, text_of("https://")) ? 8
                                                                                                                    : 0;
    if (!scheme)
        return false;
    size_t end = scheme;
    while (end < rest.size && rest.at[end] != '/' && rest.at[end] != '?')
        end++;
    split_query((struct text){rest.at + end, rest.size - end}, head);
    if (!head->path.size)
        head->path = text_of("/");
    return is_authority((struct text){rest.at + scheme, end - scheme});
}

/* Origin form, absolute form, or * for OPTIONS. What the path and the query are made of is looked at last of all: see there. */
static bool parse_target(struct http_head *head)
{
    struct text target = head->target;
    if (text_equal(target, text_of("*"))) {
        head->path = target;
        head->query = (struct text){"", 0};
        return head->method == HTTP_OPTIONS;
    }
    if (!target.size || target.at[0] != '/')
        return parse_absolute(head);
    split_query(target, head);
    return true;
}

/* 0, 400 or 505. */
static int parse_version(struct text version, struct http_head *head)
{
    if (version.size != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.' || !http_byte_is(version.at[5], HTTP_BYTE_DIGIT) ||
        !http_byte_is(version.at[7], HTTP_BYTE_DIGIT))
        return 400;
    head->minor_version = version.at[7] - '0';
    return version.at[5] == '1' && head->minor_version <= 1 ? 0 : 505;
}

static int parse_request_line(struct text line, struct http_head *head, const char **ret_why)
{
    const char *first = memchr(line.at, ' ', line.size);
    const char *last = first ? memchr(first + 1, ' ', line.size - (size_t)(first + 1 - line.at)) : NULL;
    *ret_why = "The request line is malformed.";
    if (!last)
        return 400;
    head->method_name = (struct text){line.at, (size_t)(first - line.at)};
    head->target = (struct text){first + 1, (size_t)(last - first) - 1};
    head->method = method_of(head->method_name);
    if (!head->method_name.size || !http_bytes_are(head->method_name, HTTP_BYTE_TOKEN))
        return 400;
    int status = parse_version((struct text){last + 1, line.size - (size_t)(last + 1 - line.at)}, head);
    if (status == 505)
        *ret_why = "Only HTTP/1.1 and HTTP/1.0 are spoken here.";
    if (status)
        return status;
    *ret_why = "CONNECT is not for this server.";
    if (text_equal(head->method_name, text_of("CONNECT")))
        return 501;
    *ret_why = "The request target is malformed.";
    return parse_target(head) ? 0 : 400;
}

/* ---- fields ---- */

/* Eight bytes at a time: almost all are plain, and every field of every message comes by here. */
bool http_field_is_clean(struct text value)
{
    const uint64_t ones = UINT64_MAX / 255, high = ones * 0x80;
    size_t i = 0;
    for (; i + 8 <= value.size; i += 8) {
        uint64_t word, del;
        memcpy(&word, value.at + i, 8);
        del = word ^ (ones * 0x7f);
        uint64_t suspect = (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high;
        if (suspect && !http_bytes_are((struct text){value.at + i, 8}, HTTP_BYTE_FIELD))
            return false;
    }
    return http_bytes_are((struct text){value.at + i, value.size - i}, HTTP_BYTE_FIELD);
}

/* Folded lines and a space before the colon are among what the rule for names refuses. */
static int parse_fields(struct text rest, struct http_head *head, const char **ret_why)
{
    struct text line;
    for (;;) {
        *ret_why = "A line does not end in CRLF.";
        if (!take_line(&rest, &line))
            return 400;
        if (!line.size)
            return 0;
        *ret_why = "There are too many header fields.";
        if (head->count == HTTP_HEADERS_MAX)
            return 431;
        const char *colon = memchr(line.at, ':', line.size);
        *ret_why = "A header field is malformed.";
        if (!colon || colon == line.at)
            return 400;
        struct text name = {line.at, (size_t)(colon - line.at)};
        struct text value = text_trim((struct text){colon + 1, line.size - name.size - 1});
        if (!http_bytes_are(name, HTTP_BYTE_TOKEN) || !http_field_is_clean(value))
            return 400;
        head->headers[head->count++] = (struct http_header){name, value};
    }
}

/* What the fields say about the message itself: each one's last value, and how often it was there. */
struct framing {
    struct text host, length, coding, expect;
    unsigned hosts, lengths, codings, expects;
    bool upgrade, close, stay, upgrades;
    unsigned seen; /* of the fields that have one value: a bit each */
    bool repeated;
};

/* Fields that a reader takes one value of. Sent twice, two readers could take two different ones: who asks, or what was asked. */
enum single { SINGLE_AUTHORIZATION = 1, SINGLE_CONTENT_TYPE = 2, SINGLE_IDEMPOTENCY_KEY = 4, SINGLE_ORIGIN = 8 };

static void note_connection(struct framing *framing, struct text list)
{
    struct text part;
    while (text_split(&list, ',', &part)) {
        part = text_trim(part);
        framing->close |= text_equal_nocase(part, text_of("close"));
        framing->stay |= text_equal_nocase(part, text_of("keep-alive"));
        framing->upgrades |= text_equal_nocase(part, text_of("upgrade"));
    }
}

static void note(const struct http_header *field, const char *name, struct text *value, unsigned *count)
{
    if (!text_equal_nocase(field->name, text_of(name)))
        return;
    *value = field->value;
    (*count)++;
}

static void note_single(struct framing *framing, const struct http_header *field, const char *name, enum single single)
{
    if (!text_equal_nocase(field->name, text_of(name)))
        return;
    framing->repeated |= (framing->seen & single) != 0;
    framing->seen |= single;
}

static void note_field(struct framing *framing, const struct http_header *field)
{
    switch (field->name.size) {
    case 4:
        note(field, "Host", &framing->host, &framing->hosts);
        break;
    case 6:
        note(field, "Expect", &framing->expect, &framing->expects);
        note_single(framing, field, "Origin", SINGLE_ORIGIN);
        break;
    case 7:
        framing->upgrade |= text_equal_nocase(field->name, text_of("Upgrade"));
        break;
    case 10:
        if (text_equal_nocase(field->name, text_of("Connection")))
            note_connection(framing, field->value);
        break;
    case 12:
        note_single(framing, field, "Content-Type", SINGLE_CONTENT_TYPE);
        break;
    case 13:
        note_single(framing, field, "Authorization", SINGLE_AUTHORIZATION);
        break;
    case 14:
        note(field, "Content-Length", &framing->length, &framing->lengths);
        break;
    case 15:
        note_single(framing, field, "Idempotency-Key", SINGLE_IDEMPOTENCY_KEY);
        break;
    case 17:
        note(field, "Transfer-Encoding", &framing->coding, &framing->codings);
        break;
    default:
        break;
    }
}

/* Whether a tab is among the blanks behind a value. Some parsers refuse a length or a coding then, so nobody's meaning may hang on it. */
static bool tab_follows(struct text value)
{
    const char *at = value.at + value.size;
    while (*at == ' ')
        at++;
    return *at == '\t';
}

/* RFC 9112 section 6: which of the ways a body can end. 0 or a status. */
static int parse_framing(struct http_head *head, struct framing *framing, const char **ret_why)
{
    int64_t length;
    *framing = (struct framing){0};
    for (unsigned i = 0; i < head->count; i++)
        note_field(framing, &head->headers[i]);
    head->keep_alive = !framing->close && (head->minor_version || framing->stay);
    head->upgrade = head->minor_version && framing->upgrade && framing->upgrades;
    *ret_why = "The length of the body is said in more than one way.";
    if (framing->lengths > 1 || framing->codings > 1 || (framing->lengths && framing->codings))
        return 400;
    if (framing->codings) {
        *ret_why = "Transfer-Encoding is not for HTTP/1.0.";
        if (!head->minor_version)
            return 400;
        *ret_why = "The only transfer coding here is chunked.";
        if (!text_equal_nocase(framing->coding, text_of("chunked")) || tab_follows(framing->coding))
            return 501;
        head->body = HTTP_BODY_CHUNKED;
    } else if (framing->lengths) {
        *ret_why = "Content-Length is not a number.";
        if (!framing->length.size || !http_bytes_are(framing->length, HTTP_BYTE_DIGIT) || tab_follows(framing->length))
            return 400;
        *ret_why = "The body is too large.";
        if (text_to_int64(framing->length, &length))
            return 413;
        head->content_length = (uint64_t)length;
        head->body = length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    }
    return 0;
}

/* All but the fields, which are many and count by `count`. */
static void clear(struct http_head *head)
{
    head->method = HTTP_OTHER;
    head->method_name = head->target = head->path = head->query = (struct text){0};
    head->status = head->minor_version = 0;
    head->count = 0;
    head->body = HTTP_BODY_NONE;
    head->content_length = 0;
    head->keep_alive = head->expect_continue = head->upgrade = false;
}

static bool take_first_line(struct text *bytes, struct text *ret_line)
{
    if (bytes->size >= 2 && bytes->at[0] == '\r' && bytes->at[1] == '\n')
        *bytes = (struct text){bytes->at + 2, bytes->size - 2};
    return take_line(bytes, ret_line);
}

int http_request_parse(struct text bytes, struct http_head *ret_head, const char **ret_why)
{
    struct text line;
    struct framing framing;
    clear(ret_head);
    *ret_why = "The request line does not end in CRLF.";
    if (!take_first_line(&bytes, &line))
        return 400;
    int status = parse_request_line(line, ret_head, ret_why);
    if (!status)
        status = parse_fields(bytes, ret_head, ret_why);
    if (!status)
        status = parse_framing(ret_head, &framing, ret_why);
    if (status)
        return status;
    *ret_why = "There has to be one Host field.";
    if (framing.hosts > 1 || (!framing.hosts && ret_head->minor_version) || (framing.hosts && !is_authority(framing.host)))
        return 400;
    *ret_why = "A field that has one value is there twice.";
    if (framing.repeated)
        return 400;
    *ret_why = "Only 100-continue can be expected.";
    if (framing.expects && !text_equal_nocase(framing.expect, text_of("100-continue")))
        return 417;
    ret_head->expect_continue = framing.expects && ret_head->minor_version;
    /* Last, so that whoever refuses it knows all of the head: a person who mistyped an address is shown a page. */
    *ret_why = "The request target is malformed.";
    return is_path(ret_head->path, false) && is_path(ret_head->query, true) ? 0 : 400;
}

int http_response_parse(struct text bytes, bool to_head, struct http_head *ret_head)
{
    struct text line;
    struct framing framing;
    const char *why;
    clear(ret_head);
    if (!take_first_line(&bytes, &line) || line.size < 12 || line.at[8] != ' ' || parse_version((struct text){line.at, 8}, ret_head))
        return -EPROTO;
    if (!http_bytes_are((struct text){line.at + 9, 3}, HTTP_BYTE_DIGIT) || line.at[9] == '0' || (line.size > 12 && line.at[12] != ' ') ||
        !http_field_is_clean(line))
        return -EPROTO;
    ret_head->status = (line.at[9] - '0') * 100 + (line.at[10] - '0') * 10 + (line.at[11] - '0');
    if (parse_fields(bytes, ret_head, &why) || parse_framing(ret_head, &framing, &why))
        return -EPROTO;
    if (to_head || ret_head->status < 200 || ret_head->status == 204 || ret_head->status == 304) {
        ret_head->body = HTTP_BODY_NONE;
    } else if (!framing.lengths && !framing.codings) {
        ret_head->body = HTTP_BODY_UNTIL_CLOSE;
        ret_head->keep_alive = false;
    }
    return 0;
}
