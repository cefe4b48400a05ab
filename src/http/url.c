/* URLs in settings are read as strictly as requests: what could be taken for another address is refused. */
#include "http/url.h"

#include <ctype.h>
#include <string.h>

#define SCHEME "http://"
#define HOST_MAX 253 /* RFC 1035's longest name */

static struct text behind(struct text whole, size_t size)
{
    return (struct text){whole.at + size, whole.size - size};
}

/* Up to a colon or the end; an IPv6 address up to its bracket. False where there is none, or a bracket alone. */
static bool take_host(struct text *rest, struct text *ret_host)
{
    bool is_bracketed = rest->size && rest->at[0] == '[';
    const char *end = memchr(rest->at, is_bracketed ? ']' : ':', rest->size);
    if (is_bracketed && !end)
        return false;
    size_t size = end ? (size_t)(end - rest->at) : rest->size;
    *ret_host = is_bracketed ? (struct text){rest->at + 1, size - 1} : (struct text){rest->at, size};
    *rest = behind(*rest, size + is_bracketed);
    for (size_t i = 0; i < ret_host->size; i++)
        if (!isalnum((unsigned char)ret_host->at[i]) && !memchr(is_bracketed ? ":.%-_" : ".-_", ret_host->at[i], is_bracketed ? 5 : 3))
            return false;
    return ret_host->size && ret_host->size <= HOST_MAX;
}

static bool take_port(struct text rest, int *ret_port)
{
    int64_t port = 80;
    if (rest.size && (rest.at[0] != ':' || text_to_int64(behind(rest, 1), &port) || port < 1 || port > 65535))
        return false;
    *ret_port = (int)port;
    return true;
}

static bool is_target(struct text target)
{
    for (size_t i = 0; i < target.size; i++)
        if (target.at[i] <= ' ' || target.at[i] >= 0x7f || strchr("#\"<>\\^`{|}", target.at[i]))
            return false;
    return true;
}

const char *http_url_parse(struct text url, struct http_url *ret_url)
{
    struct http_url parsed;
    if (!text_starts(url, text_of(SCHEME)))
        return "does not begin with http://";
    struct text rest = behind(url, strlen(SCHEME));
    const char *slash = memchr(rest.at, '/', rest.size);
    size_t authority = slash ? (size_t)(slash - rest.at) : rest.size;
    parsed.target = behind(rest, authority);
    rest.size = authority;
    if (!take_host(&rest, &parsed.host))
        return "has no host that could be one";
    if (!take_port(rest, &parsed.port))
        return "has no port from 1 to 65535";
    if (!is_target(parsed.target))
        return "has characters behind its host that no URL has";
    *ret_url = parsed;
    return NULL;
}
