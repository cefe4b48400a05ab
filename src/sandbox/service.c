/* The sandbox provider: its own charges in its own file, so that what a shop believes can be compared with what was taken. It is a stranger to
 * the system: it knows none of its users and orders, and its callers sign nothing. */
#include "base/settings.h"
#include "http/url.h"
#include "sandbox/sandbox.h"
#include "sandbox/service.h"

#include <errno.h>
#include <stdlib.h>

static int check_callback_url(const char *variable, const char *text, struct err *err)
{
    struct http_url url;
    const char *wrong = *text ? http_url_parse(text_of(text), &url) : NULL;
    return wrong ? err_set(err, -EINVAL, "%s is \"%.80s\"; it should be http://host:port/path, but %s", variable, text, wrong) : 0;
}

static FIBER_FN int start(struct service_engines *engines, void **ret_context, struct err *err)
{
    int error = settings_check_by("callback_url", check_callback_url, err);
    struct sandbox *sandbox = error ? NULL : calloc(1, sizeof *sandbox);
    if (!sandbox)
        return error ? error : err_set(err, -ENOMEM, "out of memory");
    sandbox->database = engines->database;
    error = sender_start(sandbox->database, &sandbox->sender);
    if (error) {
        free(sandbox);
        return err_set(err, error, "cannot start the sandbox's callbacks");
    }
    *ret_context = sandbox;
    return 0;
}

static FIBER_FN void stop(void *context)
{
    struct sandbox *sandbox = context;
    sender_stop(sandbox->sender);
    free(sandbox);
}

const struct service sandbox_service = {
    .name = "sandbox",
    .routes = sandbox_routes,
    .has_database = true,
    .answers_anyone = true,
    .start = start,
    .stop = stop,
};
