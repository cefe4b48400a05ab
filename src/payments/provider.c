/* The provider port's wrapper: finds the adapter by the URL's scheme, and limits every call by the setting payment_timeout. */
#include "base/settings.h"
#include "http/url.h"
#include "payments/provider_ops.h"

#include <errno.h>
#include <stdlib.h>

static int take_address(const char *text, struct provider *provider, struct err *err)
{
    struct http_url url;
    const char *wrong = http_url_parse(text_of(text), &url);
    if (!wrong && url.target.size > 1)
        wrong = "has a path";
    if (wrong)
        return err_set(err, -EINVAL, "PURSER_PAYMENT_PROVIDER_URL is \"%.80s\"; it should be sandbox: or http://host:port, but %s", text,
                       wrong);
    provider->port = url.port;
    provider->host = strndup(url.host.at, url.host.size);
    return provider->host ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int provider_open(const struct provider **ret_provider, struct err *err)
{
    const char *url = settings_text("payment_provider_url");
    struct provider *provider = calloc(1, sizeof *provider);
    if (!provider)
        return err_set(err, -ENOMEM, "out of memory");
    provider->ops = &sandbox_provider_ops;
    int error = strcmp(url, "sandbox:") == 0 ? 0 : take_address(url, provider, err);
    if (error) {
        free(provider);
        return error;
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
