/* redis://[[user]:password@]host[:port][/database] */
#include "engines/redis_address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool copy_decoded(struct text coded, char *ret_text, size_t room)
{
    size_t size = 0;
    for (size_t i = 0; i < coded.size; i++) {
        unsigned value = (unsigned char)coded.at[i];
        if (value == '%' && (i + 2 >= coded.size || sscanf(coded.at + i + 1, "%2x", &value) != 1))
            return false;
        i += coded.at[i] == '%' ? 2 : 0;
        if (size + 1 >= room || !value)
            return false;
        ret_text[size++] = (char)value;
    }
    ret_text[size] = '\0';
    return true;
}

static const char *last_at(struct text text)
{
    return text.size ? memrchr(text.at, '@', text.size) : NULL;
}

static bool parse_who(struct text who, struct redis_address *address)
{
    struct text user;
    text_split(&who, ':', &user);
    return copy_decoded(user, address->user, sizeof address->user) &&
           copy_decoded(who.at ? who : (struct text){"", 0}, address->password, sizeof address->password);
}

static bool parse_where(struct text where, struct redis_address *address)
{
    struct text host, port;
    int64_t number = 6379, database = 0;
    text_split(&where, '/', &port);
    if (where.size && (text_to_int64(where, &database) || database > 1000))
        return false;
    text_split(&port, ':', &host);
    if (port.at && (text_to_int64(port, &number) || number < 1 || number > 65535))
        return false;
    address->port = (int)number;
    address->database = (int)database;
    return host.size && copy_decoded(host, address->host, sizeof address->host);
}

int redis_address_parse(const char *url, struct redis_address *ret_address, struct err *err)
{
    struct text rest = text_of(url), scheme = text_of("redis://");
    *ret_address = (struct redis_address){0};
    if (text_starts(rest, text_of("rediss:")))
        return err_set(err, -EINVAL, "PURSER_CACHE_URL: rediss: is not supported here; use redis:// within a private network");
    if (text_starts(rest, scheme)) {
        rest = (struct text){rest.at + scheme.size, rest.size - scheme.size};
        const char *at = last_at(rest);
        struct text who = {rest.at, at ? (size_t)(at - rest.at) : 0};
        struct text where = at ? (struct text){at + 1, rest.size - who.size - 1} : rest;
        if ((!at || parse_who(who, ret_address)) && parse_where(where, ret_address))
            return 0;
    }
    return err_set(err, -EINVAL, "PURSER_CACHE_URL should be redis://[:password@]host[:port][/database]");
}
