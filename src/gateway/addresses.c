/* Trusted proxies: networks as 128-bit prefixes, IPv4 mapped into IPv6, so that one comparison serves both. */
#include "gateway/addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NETWORKS_MAX 64

struct network {
    unsigned char prefix[16];
    unsigned bits;
};

struct proxies {
    struct proxies *former; /* replaced by this one; requests at work may still use it */
    unsigned count;
    struct network networks[NETWORKS_MAX];
};

static bool parse_address(const char *text, unsigned char ret_bytes[16], bool *ret_four)
{
    struct in_addr four;
    *ret_four = inet_pton(AF_INET, text, &four) == 1;
    if (!*ret_four)
        return inet_pton(AF_INET6, text, ret_bytes) == 1;
    memcpy(ret_bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    memcpy(ret_bytes + 12, &four, 4);
    return true;
}

static bool parse_network(struct text text, struct network *ret_network)
{
    char address[64];
    bool four;
    int64_t bits = -1;
    struct text name, rest = text;
    if (!text_split(&rest, '/', &name) || !name.size || name.size >= sizeof address)
        return false;
    snprintf(address, sizeof address, "%.*s", (int)name.size, name.at);
    if (!parse_address(address, ret_network->prefix, &four))
        return false;
    if (rest.at && (text_to_int64(rest, &bits) || bits > (four ? 32 : 128)))
        return false;
    ret_network->bits = bits < 0 ? 128 : (unsigned)bits + (four ? 96 : 0);
    return true;
}

int proxies_parse(const char *list, struct proxies **ret_proxies, struct err *err)
{
    struct proxies *proxies = calloc(1, sizeof *proxies);
    struct text rest = text_of(list), part;
    if (!proxies)
        return err_set(err, -ENOMEM, "out of memory");
    while (text_split(&rest, ',', &part)) {
        part = text_trim(part);
        if (!part.size)
            continue;
        if (proxies->count == NETWORKS_MAX || !parse_network(part, &proxies->networks[proxies->count++])) {
            free(proxies);
            return err_set(err, -EINVAL, "PURSER_TRUSTED_PROXIES: %.*s is no address or network", (int)part.size, part.at);
        }
    }
    *ret_proxies = proxies;
    return 0;
}

void proxies_keep(struct proxies *proxies, struct proxies *former)
{
    proxies->former = former;
}

void proxies_free(struct proxies *proxies)
{
    while (proxies) {
        struct proxies *former = proxies->former;
        free(proxies);
        proxies = former;
    }
}

static bool is_within(const struct network *network, const unsigned char bytes[16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->prefix, bytes, whole) != 0)
        return false;
    return !rest || (network->prefix[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

static bool is_trusted(const struct proxies *proxies, const char *address)
{
    unsigned char bytes[16];
    bool four;
    if (!parse_address(address, bytes, &four))
        return false;
    for (unsigned i = 0; i < proxies->count; i++)
        if (is_within(&proxies->networks[i], bytes))
            return true;
    return false;
}

const char *proxies_client(const struct proxies *proxies, struct arena *arena, const char *peer, struct text forwarded)
{
    const char *client = peer;
    while (forwarded.size && is_trusted(proxies, client)) {
        size_t start = forwarded.size;
        while (start && forwarded.at[start - 1] != ',')
            start--;
        struct text last = text_trim((struct text){forwarded.at + start, forwarded.size - start});
        char *said = arena_copy(arena, last.at, last.size);
        unsigned char bytes[16];
        bool four;
        if (!parse_address(said, bytes, &four))
            break; /* what was not written by a proxy of ours ends the walk */
        client = said;
        forwarded.size = start ? start - 1 : 0;
    }
    return client;
}
