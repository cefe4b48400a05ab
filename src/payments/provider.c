/* The provider port's wrapper: finds the adapter by the URL's scheme, and limits every call by the setting payment_timeout. */
#include "base/settings.h"
#include "base/text.h"
#include "payments/provider_ops.h"

#include <errno.h>
#include <stdlib.h>

/* http://host:port in parts. */
static int parse_address(const char *url, struct provider *provider)
{
    struct text rest = text_of(url), host;
    int64_t port = 80;
    if (!text_starts(rest, text_of("http://")))
        return -EINVAL;
    rest = (struct text){rest.at + 7, rest.size - 7};
    while (rest.size && rest.at[rest.size - 1] == '/')
        rest.size--;
    const char *colon = memrchr(rest.at, ':', rest.size);
    host = (struct text){rest.at, colon ? (size_t)(colon - rest.at) : rest.size};
    if (colon && text_to_int64((struct text){colon + 1, rest.size - host.size - 1}, &port) < 0)
        return -EINVAL;
    if (!host.size || memchr(host.at, '/', host.size) || port < 1 || port > 65535)
        return -EINVAL;
    provider->port = (int)port;
    provider->host = strndup(host.at, host.size);
    return provider->host ? 0 : -ENOMEM;
}

int provider_open(const struct provider **ret_provider, struct err *err)
{
    const char *url = settings_text("payment_provider_url");
    struct provider *provider = calloc(1, sizeof *provider);
    if (!provider)
        return err_set(err, -ENOMEM, "out of memory");
    provider->ops = &sandbox_provider_ops;
    if (strcmp(url, "sandbox:") != 0 && parse_address(url, provider) < 0) {
        free(provider);
        return err_set(err, -EINVAL, "PURSER_PAYMENT_PROVIDER_URL should be sandbox: or http://host:port, not %s", url);
    }
    *ret_provider = provider;
    return 0;
}

void provider_close(const struct provider *provider)
{
    if (provider)
        free((char *)provider->host);
    free((struct provider *)provider);
}

const char *provider_name(const struct provider *provider)
{
    return provider->ops->name;
}

bool provider_is_elsewhere(const struct provider *provider)
{
    return provider->host != NULL;
}

FIBER_FN struct provider_answer provider_charge(const struct provider *provider, const struct provider_charge *charge)
{
    int64_t former = fiber_narrow_deadline(settings_duration_ms("payment_timeout"));
    struct provider_answer answer = provider->ops->charge(provider, charge);
    fiber_set_deadline(former);
    return answer;
}

FIBER_FN struct provider_answer provider_query(const struct provider *provider, const char *key)
{
    int64_t former = fiber_narrow_deadline(settings_duration_ms("payment_timeout"));
    struct provider_answer answer = provider->ops->query(provider, key);
    fiber_set_deadline(former);
    return answer;
}

FIBER_FN struct provider_answer provider_cancel(const struct provider *provider, const char *key)
{
    int64_t former = fiber_narrow_deadline(settings_duration_ms("payment_timeout"));
    struct provider_answer answer = provider->ops->cancel(provider, key);
    fiber_set_deadline(former);
    return answer;
}

FIBER_FN struct provider_answer provider_refund(const struct provider *provider, const char *key, const char *reference,
                                                int64_t amount_minor)
{
    int64_t former = fiber_narrow_deadline(settings_duration_ms("payment_timeout"));
    struct provider_answer answer = provider->ops->refund(provider, key, reference, amount_minor);
    fiber_set_deadline(former);
    return answer;
}
