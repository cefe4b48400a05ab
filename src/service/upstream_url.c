/* The settings that say where services are, lists of http://host:port: what is wrong with one is said when it is read, not when somebody calls. */
#include "base/settings.h"
#include "service/upstream_parts.h"

#include <errno.h>

/* NULL, or what is wrong with one address of a list. */
static const char *parse(struct text part, struct http_url *ret_url)
{
    const char *wrong = part.size ? http_url_parse(part, ret_url) : "is empty";
    if (!wrong && ret_url->target.size > 1)
        wrong = "has a path, and services are asked at the root";
    return wrong;
}

static int check(const char *variable, const char *list, struct err *err)
{
    struct text rest = text_of(list), part;
    struct http_url url;
    for (unsigned place = 1; *list && text_split(&rest, ',', &part); place++) {
        const char *wrong = parse(text_trim(part), &url);
        if (wrong)
            return err_set(err, -EINVAL, "%s is \"%.80s\"; it should be a list of http://host:port, but address %u %s", variable, list,
                           place, wrong);
    }
    return 0;
}

bool upstream_url_next(struct text *list, struct http_url *ret_url)
{
    struct text part;
    return text_split(list, ',', &part) && !parse(text_trim(part), ret_url);
}

int upstream_url_check(const char *setting, struct err *err)
{
    return settings_check_by(setting, check, err);
}
