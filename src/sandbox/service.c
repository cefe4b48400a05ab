/* The sandbox provider: its own charges in its own file, so that what a shop believes can be compared with what was taken. It is a stranger to
 * the system: it knows none of its users and orders, and its callers sign nothing. */
#include "sandbox/sandbox.h"
#include "sandbox/service.h"

#include <errno.h>
#include <stdlib.h>

static FIBER_FN int start(struct service_engines *engines, void **ret_context, struct err *err)
{
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox)
        return err_set(err, -ENOMEM, "out of memory");
    sandbox->database = engines->database;
    int error = sender_start(sandbox->database, &sandbox->sender);
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
