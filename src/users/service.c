/*
 * Accounts, their sessions, and the keys that access tokens are signed with. Consumes nothing; tells the topic user-events what happens, and
 * everybody who holds something open when a session ends.
 */
#include "users/users.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "security/passwords.h"
#include "security/secret.h"
#include "users/api.h"
#include "users/backoff.h"
#include "users/context.h"

#include <errno.h>
#include <stdlib.h>

#define BEAT_MS 5000
#define CLEAN_EVERY 12 /* beats */

static const struct route routes[] = {
    {HTTP_POST, "/api/v1/auth/register", ROUTE_PUBLIC, users_api_register},
    {HTTP_POST, "/api/v1/auth/login", ROUTE_PUBLIC, users_api_login},
    {HTTP_POST, "/api/v1/auth/refresh", ROUTE_PUBLIC, users_api_refresh},
    {HTTP_POST, "/api/v1/auth/logout", ROUTE_USER, users_api_logout},
    {HTTP_GET, "/api/v1/auth/sessions", ROUTE_USER, users_api_sessions},
    {HTTP_DELETE, "/api/v1/auth/sessions/{id}", ROUTE_USER, users_api_end_session},
    {HTTP_PUT, "/api/v1/auth/password", ROUTE_USER, users_api_change_password},
    {HTTP_GET, "/api/v1/users/me", ROUTE_USER, users_api_me},
    {HTTP_PATCH, "/api/v1/users/me", ROUTE_USER, users_api_change_me},
    {HTTP_DELETE, "/api/v1/users/me", ROUTE_USER, users_api_delete_me},
    {HTTP_GET, "/api/v1/users", ROUTE_ADMIN, users_api_list},
    {HTTP_GET, "/api/v1/users/{id}", ROUTE_ADMIN, users_api_get},
    {HTTP_PATCH, "/api/v1/users/{id}", ROUTE_ADMIN, users_api_change_role},
    {HTTP_GET, "/.well-known/jwks.json", ROUTE_PUBLIC, users_api_jwks},
    {HTTP_GET, "/internal/revocations", ROUTE_INTERNAL, users_api_revocations},
    {HTTP_POST, "/internal/admins", ROUTE_INTERNAL, users_api_create_admin},
    {HTTP_POST, "/internal/keys/rotate", ROUTE_INTERNAL, users_api_rotate_keys},
    {.pattern = NULL},
};

/* ---- by the clock ---- */

static FIBER_FN void beat(void *arg)
{
    static unsigned beats;
    struct users *users = arg;
    key_ring_refresh(users->keys);
    if (++beats % CLEAN_EVERY == 0) {
        int error = users_store_clean(users->database);
        if (error)
            log_warn("old sessions could not be cleaned up", "{s:i}", "code", error);
    }
    users->at_work = false;
}

static void beat_abandoned(void *arg)
{
    ((struct users *)arg)->at_work = false;
}

static void on_clock(void *arg)
{
    struct users *users = arg;
    struct fiber_options options = {.name = "users clock", .run = beat, .arg = users, .abandoned = beat_abandoned,
                                    .deadline_mono_ms = clock_mono_ms() + BEAT_MS};
    if (!users->at_work) {
        users->at_work = true;
        if (fiber_start_with(&options, NULL))
            users->at_work = false;
    }
    timer_start(&users->clock, clock_mono_ms() + BEAT_MS, on_clock, users);
}

/* ---- start and stop ---- */

static FIBER_FN int start(struct service_engines *engines, void **ret_context, struct err *err)
{
    struct users *users = memory_get_zeroed(sizeof *users);
    if (!users)
        return err_set(err, -ENOMEM, "out of memory");
    users->database = engines->database;
    users->cache = engines->cache;
    users->caches_profiles = cache_is_shared(engines->cache) || !database_is_postgres(engines->database);
    int error = secret_load(&users->secret, err);
    if (!error)
        error = key_ring_open(users->database, users->secret, &users->keys, err);
    if (!error && passwords_start())
        error = err_set(err, -ENOMEM, "the threads for passwords cannot be started");
    if (error) {
        key_ring_close(users->keys);
        free(users);
        return error;
    }
    backoff_start();
    timer_start(&users->clock, clock_mono_ms() + BEAT_MS, on_clock, users);
    *ret_context = users;
    return 0;
}

static FIBER_FN void stop(void *context)
{
    struct users *users = context;
    timer_stop(&users->clock);
    while (users->at_work && fiber_sleep(5) == 0)
        ;
    passwords_stop();
    key_ring_close(users->keys);
    free(users);
}

const struct service users_service = {
    .name = "users",
    .routes = routes,
    .has_database = true,
    .has_outbox = true,
    .start = start,
    .stop = stop,
};
