/*
 * Heads: found by looking for the empty line, then parsed in one pass over bytes that are all there. There is no state between calls but
 * how far was looked, so a head that comes byte by byte parses as one that comes at once.
 */
#include "http/parser.h"

#include <errno.h>
#include <string.h>

/* RFC 9110 section 5.6.2: token characters. */
static bool is_token_char(unsigned char c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr(others, c));
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

long http_head_find(struct text bytes, size_t *scanned)
{
    size_t i = *scanned;
    bool in_first_line = i < 2 || !memchr(bytes.at, '\n', i);
    for (; i < bytes.size; i++) {
        if (in_first_line && i >= HTTP_LINE_MAX)
            return -414;
        if (i >= HTTP_HEAD_MAX)
            return -431;
        if (bytes.at[i] != '\n')
            continue;
        if (i == 0 || bytes.at[i - 1] != '\r')
            return -400;
        in_first_line = false;
        if (i >= 3 && bytes.at[i - 2] == '\n')
            return (long)i + 1;
    }
    *scanned = i;
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

static bool parse_method(struct text name, struct http_head *head)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    head->method_name = name;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (text_equal(name, text_of(names[i]))) {
            head->method = (enum http_method)i;
            return true;
        }
    return false;
}

/* RFC 3986: unreserved, sub-delims, ':', '@', '/', '?', and whole escapes. */
static bool is_target_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~!$&'()*+,;=:@/?", c));
}

static bool target_is_clean(struct text target)
{
    for (size_t i = 0; i < target.size; i++) {
        if (target.at[i] == '%') {
            if (i + 2 >= target.size || !is_hex(target.at[i + 1]) || !is_hex(target.at[i + 2]))
                return false;
            i += 2;
        } else if (!is_target_char(target.at[i])) {
            return false;
        }
    }
    return true;
}

/* Origin form, absolute form (RFC 9112 section 3.2.2: its path counts), or * for OPTIONS. */
static bool parse_target(struct text target, struct http_head *head)
{
    head->target = target;
    if (target.size == 1 && target.at[0] == '*') {
        head->path = target;
        return head->method == HTTP_OPTIONS;
    }
    struct text scheme = text_of("http://");
    if (target.size > scheme.size && text_equal_nocase((struct text){target.at, scheme.size}, scheme)) {
        const char *path = memchr(target.at + scheme.size, '/', target.size - scheme.size);
        if (!path || path == target.at + scheme.size)
            return false;
        target.size -= (size_t)(path - target.at);
        target.at = path;
    }
    if (!target.size || target.at[0] != '/' || !target_is_clean(head->target))
        return false;
    const char *mark = memchr(target.at, '?', target.size);
    head->target = target;
    head->path = (struct text){target.at, mark ? (size_t)(mark - target.at) : target.size};
    head->query = mark ? (struct text){mark + 1, target.size - head->path.size - 1} : (struct text){"", 0};
    return true;
}

/* 0, 400 or 505. */
static int parse_version(struct text version, struct http_head *head)
{
    if (version.size != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.')
        return 400;
    char major = version.at[5], minor = version.at[7];
    if (major < '0' || major > '9' || minor < '0' || minor > '9')
        return 400;
    head->minor_version = minor - '0';
    return major == '1' && minor <= '1' ? 0 : 505;
}

static int parse_request_line(struct text line, struct http_head *head, const char **ret_why)
{
    const char *first = memchr(line.at, ' ', line.size);
    const char *last = first ? memchr(first + 1, ' ', line.size - (size_t)(first + 1 - line.at)) : NULL;
    *ret_why = "The request line is malformed.";
    if (!last)
        return 400;
    struct text method = {line.at, (size_t)(first - line.at)}, target = {first + 1, (size_t)(last - first) - 1};
    for (size_t i = 0; i < method.size; i++)
        if (!is_token_char((unsigned char)method.at[i]))
            return 400;
    if (!method.size)
        return 400;
    int status = parse_version((struct text){last + 1, line.size - (size_t)(last + 1 - line.at)}, head);
    if (status) {
        if (status == 505)
            *ret_why = "Only HTTP/1.1 and HTTP/1.0 are spoken here.";
        return status;
    }
    if (!parse_method(method, head)) {
        *ret_why = "This method is not known.";
        return 501;
    }
    *ret_why = "The request target is malformed.";
    return parse_target(target, head) ? 0 : 400;
}

/* ---- fields ---- */

static bool is_clean(const char *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

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
        if (suspect && !is_clean(value.at + i, 8))
            return false;
    }
    return is_clean(value.at + i, value.size - i);
}

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
        for (size_t i = 0; i < name.size; i++)
            if (!is_token_char((unsigned char)name.at[i]))
                return 400; /* among them: folded lines and a space before the colon */
        if (!http_field_is_clean(value))
            return 400;
        head->headers[head->count++] = (struct http_header){name, value};
    }
}

/* How often the field is there, and its last value. */
static unsigned find(const struct http_head *head, const char *name, struct text *ret_value)
{
    unsigned count = 0;
    for (unsigned i = 0; i < head->count; i++)
        if (text_equal_nocase(head->headers[i].name, text_of(name))) {
            *ret_value = head->headers[i].value;
            count++;
        }
    return count;
}

static bool list_has(struct text list, const char *token)
{
    struct text part;
    while (text_split(&list, ',', &part))
        if (text_equal_nocase(text_trim(part), text_of(token)))
            return true;
    return false;
}

static bool connection_has(const struct http_head *head, const char *token)
{
    for (unsigned i = 0; i < head->count; i++)
        if (text_equal_nocase(head->headers[i].name, text_of("Connection")) && list_has(head->headers[i].value, token))
            return true;
    return false;
}

static bool parse_length(struct text digits, uint64_t *ret_length)
{
    int64_t length;
    for (size_t i = 0; i < digits.size; i++)
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
    if (!digits.size || text_to_int64(digits, &length))
        return false;
    *ret_length = (uint64_t)length;
    return true;
}

/* RFC 9112 section 6: which of the ways a body can end. 0 or a status. */
static int parse_framing(struct http_head *head, const char **ret_why)
{
    struct text length = {0}, coding = {0};
    unsigned lengths = find(head, "Content-Length", &length), codings = find(head, "Transfer-Encoding", &coding);
    *ret_why = "The length of the body is said in more than one way.";
    if (lengths > 1 || codings > 1 || (lengths && codings))
        return 400;
    if (codings) {
        *ret_why = "Transfer-Encoding is not for HTTP/1.0.";
        if (head->minor_version == 0)
            return 400;
        *ret_why = "The only transfer coding here is chunked.";
        if (!text_equal_nocase(coding, text_of("chunked")))
            return 501;
        head->body = HTTP_BODY_CHUNKED;
    } else if (lengths) {
        *ret_why = "Content-Length is not a number.";
        if (!parse_length(length, &head->content_length))
            return 400;
        head->body = head->content_length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    }
    head->keep_alive = head->minor_version ? !connection_has(head, "close") : connection_has(head, "keep-alive");
    return 0;
}

static bool host_is_clean(struct text host)
{
    for (size_t i = 0; i < host.size; i++)
        if (!is_target_char(host.at[i]) && !strchr("[]%", host.at[i]))
            return false;
    return !memchr(host.at, '/', host.size) && !memchr(host.at, '?', host.size) && !memchr(host.at, '@', host.size);
}

int http_request_parse(struct text bytes, struct http_head *ret_head, const char **ret_why)
{
    struct text line, host = {0}, expect = {0}, upgrade = {0};
    memset(ret_head, 0, offsetof(struct http_head, headers));
    ret_head->count = 0;
    ret_head->body = HTTP_BODY_NONE;
    ret_head->content_length = 0;
    ret_head->keep_alive = ret_head->expect_continue = ret_head->upgrade = false;
    *ret_why = "The request line does not end in CRLF.";
    if (!take_line(&bytes, &line))
        return 400;
    int status = parse_request_line(line, ret_head, ret_why);
    if (!status)
        status = parse_fields(bytes, ret_head, ret_why);
    if (!status)
        status = parse_framing(ret_head, ret_why);
    if (status)
        return status;
    unsigned hosts = find(ret_head, "Host", &host);
    *ret_why = "There has to be one Host field.";
    if (hosts > 1 || (!hosts && ret_head->minor_version) || (hosts && !host_is_clean(host)))
        return 400;
    if (find(ret_head, "Expect", &expect)) {
        *ret_why = "Only 100-continue can be expected.";
        if (!text_equal_nocase(expect, text_of("100-continue")))
            return 417;
        ret_head->expect_continue = ret_head->minor_version > 0;
    }
    ret_head->upgrade = ret_head->minor_version && find(ret_head, "Upgrade", &upgrade) && connection_has(ret_head, "upgrade");
    return 0;
}

int http_response_parse(struct text bytes, bool to_head, struct http_head *ret_head)
{
    struct text line;
    const char *why;
    memset(ret_head, 0, sizeof *ret_head);
    if (!take_line(&bytes, &line) || line.size < 12 || line.at[8] != ' ' || parse_version((struct text){line.at, 8}, ret_head))
        return -EPROTO;
    for (int i = 9; i < 12; i++) {
        if (line.at[i] < '0' || line.at[i] > '9')
            return -EPROTO;
        ret_head->status = ret_head->status * 10 + (line.at[i] - '0');
    }
    if (ret_head->status < 100 || (line.size > 12 && line.at[12] != ' ') || !http_field_is_clean(line))
        return -EPROTO;
    if (parse_fields(bytes, ret_head, &why) || parse_framing(ret_head, &why))
        return -EPROTO;
    struct text ignored;
    bool sized = find(ret_head, "Content-Length", &ignored) || ret_head->body == HTTP_BODY_CHUNKED;
    if (to_head || ret_head->status < 200 || ret_head->status == 204 || ret_head->status == 304)
        ret_head->body = HTTP_BODY_NONE;
    else if (!sized) {
        ret_head->body = HTTP_BODY_UNTIL_CLOSE;
        ret_head->keep_alive = false;
    }
    return 0;
}

/* ---- chunked (RFC 9112 section 7.1) ---- */

#define CHUNK_LINE_MAX 256
#define TRAILERS_MAX (8 * 1024)

enum { SIZE, EXTENSION_NAME, EXTENSION_VALUE, EXTENSION_TOKEN, EXTENSION_QUOTED, EXTENSION_END, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER_START,
       TRAILER_NAME, TRAILER_VALUE, TRAILER_LF, END_LF, DONE };

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* Between chunk lines and data: what an end of the size line leads to. */
static int after_extension(char c)
{
    return c == ';' ? EXTENSION_NAME : c == '\r' ? SIZE_LF : -EBADMSG;
}

/* One byte of anything but data. The new state, or -EBADMSG. */
static int step(struct http_chunks *chunks, char c)
{
    switch (chunks->state) {
    case SIZE:
        if (is_hex(c)) {
            if (++chunks->digits > 15)
                return -EBADMSG;
            chunks->left = chunks->left * 16 + (uint64_t)hex_digit(c);
            return SIZE;
        }
        chunks->name_seen = false;
        return chunks->digits ? after_extension(c) : -EBADMSG;
    case EXTENSION_NAME:
        if (is_token_char((unsigned char)c)) {
            chunks->name_seen = true;
            return EXTENSION_NAME;
        }
        if (!chunks->name_seen)
            return -EBADMSG;
        chunks->name_seen = false;
        return c == '=' ? EXTENSION_VALUE : after_extension(c);
    case EXTENSION_VALUE:
        return c == '"' ? EXTENSION_QUOTED : is_token_char((unsigned char)c) ? EXTENSION_TOKEN : -EBADMSG;
    case EXTENSION_TOKEN:
        return is_token_char((unsigned char)c) ? EXTENSION_TOKEN : after_extension(c);
    case EXTENSION_QUOTED:
        return c == '"' ? EXTENSION_END : c >= 0x20 && c < 0x7f && c != '\\' ? EXTENSION_QUOTED : -EBADMSG;
    case EXTENSION_END:
        return after_extension(c);
    case SIZE_LF:
        chunks->line = 0;
        return c != '\n' ? -EBADMSG : chunks->left ? DATA : TRAILER_START;
    case DATA_CR:
        return c == '\r' ? DATA_LF : -EBADMSG;
    case DATA_LF:
        chunks->digits = 0;
        return c == '\n' ? SIZE : -EBADMSG;
    case TRAILER_START:
        return c == '\r' ? END_LF : is_token_char((unsigned char)c) ? TRAILER_NAME : -EBADMSG;
    case TRAILER_NAME:
        return c == ':' ? TRAILER_VALUE : is_token_char((unsigned char)c) ? TRAILER_NAME : -EBADMSG;
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : (unsigned char)c >= 0x20 && c != 0x7f ? TRAILER_VALUE : c == '\t' ? TRAILER_VALUE : -EBADMSG;
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : -EBADMSG;
    case END_LF:
        return c == '\n' ? DONE : -EBADMSG;
    default:
        return -EBADMSG;
    }
}

int http_chunks_feed(struct http_chunks *chunks, struct text bytes, struct buffer *out, size_t size_max, size_t *ret_used)
{
    size_t i = 0;
    int result = 0;
    while (i < bytes.size && chunks->state != DONE && !result) {
        if (chunks->state == DATA) {
            size_t size = bytes.size - i < chunks->left ? bytes.size - i : (size_t)chunks->left;
            buffer_add(out, bytes.at + i, size);
            i += size;
            chunks->left -= size;
            if (!chunks->left)
                chunks->state = DATA_CR;
            continue;
        }
        int next = step(chunks, bytes.at[i++]);
        if (next < 0 || ++chunks->line > (chunks->state >= TRAILER_START ? TRAILERS_MAX : CHUNK_LINE_MAX))
            result = -EBADMSG;
        else if (next == DATA && chunks->left > size_max - out->size)
            result = -EMSGSIZE;
        if (next >= 0) {
            if (next == SIZE && chunks->state != SIZE)
                chunks->line = 0;
            chunks->state = next;
        }
    }
    *ret_used = i;
    return result ? result : out->failed ? -ENOMEM : chunks->state == DONE;
}
