/* The cache port's wrapper: picks the adapter by the URL's scheme. */
#include "engines/cache_ops.h"

#include "base/settings.h"

#include <errno.h>

static const struct cache_ops *const adapters[] = {&embedded_cache_ops, &redis_cache_ops};

int cache_open(struct cache **ret_cache, struct err *err)
{
    const char *url = settings_text("cache_url");
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++) {
        struct text scheme = text_of(adapters[i]->scheme);
        if (text_starts(text_of(url), scheme) && (url[scheme.size] == ':' || text_starts(text_of(url), text_of("rediss:"))))
            return adapters[i]->open(ret_cache, err);
    }
    return err_set(err, -EINVAL, "PURSER_CACHE_URL should be embedded: or redis://…, not %s", url);
}

void cache_close(struct cache *cache)
{
    if (cache)
        cache->ops->close(cache);
}

bool cache_is_up(const struct cache *cache)
{
    return cache->ops->is_up(cache);
}

bool cache_is_shared(const struct cache *cache)
{
    return cache->ops->shared;
}

int cache_get(struct cache *cache, const char *key, struct arena *arena, struct text *ret_value)
{
    return cache->ops->get(cache, key, arena, ret_value);
}

int cache_set(struct cache *cache, const char *key, struct text value, int64_t ttl_ms)
{
    return cache->ops->set(cache, key, value, ttl_ms);
}

int cache_delete(struct cache *cache, const char *key)
{
    return cache->ops->remove(cache, key);
}

int cache_publish(struct cache *cache, const char *channel, struct text message)
{
    const struct cache_message one = {channel, message};
    return cache->ops->publish(cache, &one, 1);
}

int cache_publish_all(struct cache *cache, const struct cache_message *list, unsigned count)
{
    return count ? cache->ops->publish(cache, list, count) : 0;
}

int cache_subscribe(struct cache *cache, const struct cache_subscription *subscription)
{
    return cache->ops->subscribe(cache, subscription);
}

bool cache_pattern_covers(const char *pattern, const char *channel)
{
    struct text text = text_of(pattern);
    if (text.size && text.at[text.size - 1] == '*')
        return text_starts(text_of(channel), (struct text){text.at, text.size - 1});
    return !strcmp(pattern, channel);
}
