/* Profiles, and what administrators may do with users. */
#include "users/api.h"

#include "http/resource.h"
#include "users/profiles.h"
#include "users/rules.h"
#include "users/sessions.h"

#include <errno.h>

/* ---- one's own ---- */

static void answer_gone(struct http_response *response)
{
    problem_unauthorized(response, "invalid_token", "The account is gone.");
}

HANDLER(users_api_me)
{
    struct text json;
    int error = profile_get(context, request->identity.user_id, &json);
    if (error == -ENOENT)
        answer_gone(response);
    else if (error)
        problem_from_error(response, error, "reading a profile");
    else
        respond_bytes(response, 200, "application/json", json);
}

static bool read_change(struct http_request *request, struct http_response *response, const char **ret_name, const char **ret_email)
{
    json_t *body;
    if (!request_json(request, response, false, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    *ret_name = field_string(&fields, "name", false, 1, PERSON_NAME_MAX);
    *ret_email = field_string(&fields, "email", false, 3, EMAIL_MAX);
    fields_done(&fields);
    if (*ret_email && !email_is_valid(*ret_email))
        problem_errors_add(&errors, "/email", "This is no email address.");
    if (*ret_name && !name_is_valid(*ret_name))
        problem_errors_add(&errors, "/name", "This has to be a name on one line.");
    if (json_object_size(body) == 0)
        problem_errors_add(&errors, "", "There is nothing to change.");
    return !problem_errors_answer(&errors, response);
}

HANDLER(users_api_change_me)
{
    struct users *users = context;
    const char *id = request->identity.user_id, *name, *email;
    struct user user;
    if (!read_change(request, response, &name, &email))
        return;
    uint32_t begun = profile_change_begins(id);
    int error = users_store_change_profile(users->database, id, name, email, &user);
    profile_change_ends(users, id, begun, error ? NULL : &user);
    if (error == -EEXIST)
        users_api_email_taken(response);
    else if (error == -ENOENT)
        answer_gone(response);
    else if (error)
        problem_from_error(response, error, "changing a profile");
    else
        respond_json(response, 200, user_json(request->arena, &user));
}

HANDLER(users_api_delete_me)
{
    struct users *users = context;
    const char *id = request->identity.user_id;
    struct endings endings;
    uint32_t begun = profile_change_begins(id);
    int error = users_store_delete(users->database, id, &endings);
    profile_change_ends(users, id, begun, NULL);
    if (error == -ENOENT) {
        answer_gone(response);
    } else if (error) {
        problem_from_error(response, error, "deleting an account");
    } else {
        sessions_ended(users, &endings);
        respond_empty(response, 204);
    }
}

/* ---- everybody's, for administrators ---- */

HANDLER(users_api_list)
{
    struct users *users = context;
    struct page page;
    json_t *list;
    if (!request_id_page(request, response, &page))
        return;
    int error = users_store_list(users->database, page.cursor, page.limit + 1, &list);
    if (error)
        problem_from_error(response, error, "listing users");
    else
        respond_page(response, list, page.limit);
}

HANDLER(users_api_get)
{
    struct users *users = context;
    struct user user;
    const char *id = request_id(request, response);
    if (!id)
        return;
    int error = users_store_find(users->database, id, &user);
    if (error == -ENOENT)
        problem_not_found(response);
    else if (error)
        problem_from_error(response, error, "looking up a user");
    else
        respond_json(response, 200, user_json(request->arena, &user));
}

static bool read_role(struct http_request *request, struct http_response *response, const char **ret_role)
{
    json_t *body;
    if (!request_json(request, response, false, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    *ret_role = field_string(&fields, "role", true, 1, 20);
    fields_done(&fields);
    if (*ret_role && !role_is_valid(*ret_role))
        problem_errors_add(&errors, "/role", "A role is user or admin.");
    return !problem_errors_answer(&errors, response);
}

HANDLER(users_api_change_role)
{
    struct users *users = context;
    const char *id = request_id(request, response), *role;
    struct user user;
    struct endings endings;
    if (!id || !read_role(request, response, &role))
        return;
    uint32_t begun = profile_change_begins(id);
    int error = users_store_change_role(users->database, id, role, &user, &endings);
    profile_change_ends(users, id, begun, error ? NULL : &user);
    if (error == -ENOENT) {
        problem_not_found(response);
    } else if (error) {
        problem_from_error(response, error, "changing a role");
    } else {
        sessions_ended(users, &endings);
        respond_json(response, 200, user_json(request->arena, &user));
    }
}
