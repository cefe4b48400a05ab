/* Paths by their first segment below /api/v1, and the keys, which have their place by convention (RFC 8615). */
#include "gateway/routes.h"

static const struct group {
    const char *segment, *service;
} table[] = {
    {"auth", "users"},       {"users", "users"},       {"products", "orders"},
    {"orders", "orders"},    {"payments", "payments"}, {"notifications", "notifications"},
    {"functions", "functions"}, {"operations", NULL},
};

static const struct group *find(struct text path)
{
    struct text prefix = text_of("/api/v1/"), segment;
    if (!text_starts(path, prefix))
        return NULL;
    struct text rest = {path.at + prefix.size, path.size - prefix.size};
    if (!text_split(&rest, '/', &segment))
        return NULL;
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        if (text_equal(segment, text_of(table[i].segment)))
            return &table[i];
    return NULL;
}

const char *routes_service_of(struct text path)
{
    if (text_equal(path, text_of("/.well-known/jwks.json")))
        return "users";
    const struct group *group = find(path);
    return group ? group->service : NULL;
}

const char *routes_group_of(struct text path)
{
    const struct group *group = find(path);
    return group ? group->segment : NULL;
}
