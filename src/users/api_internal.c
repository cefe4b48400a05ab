/* What gateways and the command line ask: keys, ended sessions, administrators. */
#include "users/api.h"

#include "base/log.h"
#include "http/problem.h"
#include "users/context.h"

#include <errno.h>

#define ENDINGS_MAX 1000

HANDLER(users_api_jwks)
{
    struct users *users = context;
    respond_json(response, 200, key_ring_published(users->keys, request->arena));
}

HANDLER(users_api_revocations)
{
    struct users *users = context;
    struct problem_errors errors = {.arena = request->arena};
    const char *after = http_query(request, "after");
    int64_t number = 0, last;
    json_t *list;
    if (after && text_to_int64(text_of(after), &number))
        problem_errors_add(&errors, "/after", "This has to be a whole number.");
    if (problem_errors_answer(&errors, response))
        return;
    int error = users_store_endings_after(users->database, number, ENDINGS_MAX, &list, &last);
    if (error)
        problem_from_error(response, error, "reading ended sessions");
    else
        respond_json(response, 200, json_make(request->arena, "{s:O, s:I}", "data", list, "last", (json_int_t)last));
}

HANDLER(users_api_create_admin)
{
    struct users *users = context;
    struct user user;
    if (!users_api_read_account(request, response, &user))
        return;
    user.role = "admin";
    int error = users_store_register(users->database, &user, NULL);
    if (error == -EEXIST)
        users_api_email_taken(response);
    else if (error)
        problem_from_error(response, error, "making an administrator");
    else
        respond_json(response, 201, user_json(request->arena, &user));
}

HANDLER(users_api_rotate_keys)
{
    struct users *users = context;
    const char *kid;
    int error = key_ring_rotate(users->keys, &kid);
    if (error == -EMFILE) {
        problem(response, 409, "too-many-keys", "Too many keys are still in use; rotate again when their tokens have ended.");
    } else if (error) {
        problem_from_error(response, error, "rotating keys");
    } else {
        log_info("a signing key was added", "{s:s}", "kid", kid);
        respond_json(response, 201, json_make(request->arena, "{s:s}", "kid", kid));
    }
}
