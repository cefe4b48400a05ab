/* Registering, signing in and out, refreshing, and the password. */
#include "users/api.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "http/resource.h"
#include "security/passwords.h"
#include "users/backoff.h"
#include "users/profiles.h"
#include "users/rules.h"
#include "users/sessions.h"

#include <errno.h>

#define LOGIN_PASSWORD_MAX 256
#define REFRESH_TOKEN_MAX 65536

static void answer_busy(struct http_response *response, int error, const char *doing)
{
    if (error == -EBUSY)
        problem_unavailable(response, 1, "Too many are signing in at this moment.");
    else
        problem_from_error(response, error, doing);
}

/* ---- registering ---- */

void users_api_email_taken(struct http_response *response)
{
    problem(response, 409, "email-taken", "An account with this email exists.");
    problem_member(response, "errors", json_pack("[{s:s, s:s}]", "pointer", "/email", "detail", "This is the email of another account."));
}

FIBER_FN bool users_api_read_account(struct http_request *request, struct http_response *response, struct user *ret_user)
{
    json_t *body;
    if (!request_json(request, response, false, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    struct user user = {.role = "user"};
    user.email = field_string(&fields, "email", true, 3, EMAIL_MAX);
    const char *password = field_string(&fields, "password", true, 8, 256);
    user.name = field_string(&fields, "name", true, 1, PERSON_NAME_MAX);
    fields_done(&fields);
    if (user.email && !email_is_valid(user.email))
        problem_errors_add(&errors, "/email", "This is no email address.");
    if (password && password_complaint(password))
        problem_errors_add(&errors, "/password", "%s", password_complaint(password));
    if (user.name && !name_is_valid(user.name))
        problem_errors_add(&errors, "/name", "This has to be a name on one line.");
    if (problem_errors_answer(&errors, response))
        return false;
    char *hash;
    int error = password_hash(password, &hash);
    if (error) {
        answer_busy(response, error, "hashing a password");
        return false;
    }
    user.password_hash = hash;
    *ret_user = user;
    return true;
}

HANDLER(users_api_register)
{
    struct users *users = context;
    struct user user;
    struct session_start session;
    bool cookie;
    if (!session_mode(request, response, &cookie) || !users_api_read_account(request, response, &user))
        return;
    session_prepare(request, &session);
    int error = users_store_register(users->database, &user, &session);
    if (error == -EEXIST)
        users_api_email_taken(response);
    else if (error)
        problem_from_error(response, error, "registering");
    else
        session_answer(users, response, 201, &user, session.id, 1, cookie);
}

/* ---- signing in ---- */

struct credentials {
    const char *email, *password;
};

static bool read_credentials(struct http_request *request, struct http_response *response, struct credentials *ret_credentials)
{
    json_t *body;
    if (!request_json(request, response, false, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    ret_credentials->email = field_string(&fields, "email", true, 1, EMAIL_MAX);
    ret_credentials->password = field_string(&fields, "password", true, 1, LOGIN_PASSWORD_MAX);
    fields_done(&fields);
    return !problem_errors_answer(&errors, response);
}

/* Whoever asks and whether the account exists: the same steps and the same words. 0; -EACCES; or what kept us from knowing. */
static FIBER_FN int check_credentials(struct users *users, struct http_request *request, const struct credentials *credentials,
                                      struct user *ret_user)
{
    bool place_known = false;
    const char *account = email_key(request->arena, credentials->email);
    if (passwords_are_busy())
        return -EBUSY;
    int found = users_store_find_by_email(users->database, credentials->email, request->client_address, ret_user, &place_known);
    if (found && found != -ENOENT)
        return found;
    int error = place_known ? 0 : backoff_wait(account);
    if (!error)
        error = password_verify(found ? NULL : ret_user->password_hash, credentials->password);
    if (error == -EACCES)
        backoff_failed(account);
    return error;
}

HANDLER(users_api_login)
{
    struct users *users = context;
    struct credentials credentials;
    struct user user;
    struct session_start session;
    struct endings endings;
    bool cookie;
    if (!session_mode(request, response, &cookie) || !read_credentials(request, response, &credentials))
        return;
    int error = check_credentials(users, request, &credentials, &user);
    if (!error) {
        session_prepare(request, &session);
        error = users_store_login(users->database, &user, &session, &user, &endings);
    }
    if (error == -EACCES) {
        problem_unauthorized(response, NULL, "Email or password is not right.");
        return;
    }
    if (error) {
        answer_busy(response, error, "signing in");
        return;
    }
    backoff_succeeded(email_key(request->arena, credentials.email));
    sessions_ended(users, &endings);
    session_answer(users, response, 200, &user, session.id, 1, cookie);
}

/* ---- refreshing ---- */

/* The token's text; false after an answer. */
static bool read_refresh_token(struct http_request *request, struct http_response *response, bool cookie, struct text *ret_token)
{
    json_t *body;
    if (!request_json(request, response, cookie, &body))
        return false;
    if (!cookie && session_cookie(request).size && !json_object_get(body, "refresh_token")) {
        problem_forbidden(response, "The cookie counts only with X-Session-Mode: cookie.");
        return false;
    }
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    const char *token = cookie ? NULL : field_string(&fields, "refresh_token", true, 0, REFRESH_TOKEN_MAX);
    fields_done(&fields);
    *ret_token = cookie ? session_cookie(request) : text_of(token ? token : "");
    return !problem_errors_answer(&errors, response);
}

static void note_reuse(const struct refresh *refresh)
{
    counter_add(counter_get("purser_users_refresh_reused_total", NULL, "Sessions ended because a replaced refresh token was used again"), 1);
    log_warn("refresh token used again: session ended", "{s:s, s:s}", "session_id", refresh->token.session_id, "user_id",
             refresh->ended.list[0].user_id);
}

HANDLER(users_api_refresh)
{
    struct users *users = context;
    struct refresh refresh = {.place = session_place_of(request), .life_ms = settings_duration_ms("session_ttl")};
    struct text token;
    bool cookie;
    if (!session_mode(request, response, &cookie) || !read_refresh_token(request, response, cookie, &token))
        return;
    int error = token.at ? refresh_token_parse(request->arena, users->secret, token, &refresh.token) : -EACCES;
    if (!error)
        error = users_store_refresh(users->database, &refresh);
    if (error == -EACCES) {
        if (refresh.ended.count) {
            note_reuse(&refresh);
            sessions_ended(users, &refresh.ended);
        }
        problem_unauthorized(response, "invalid_token", "The refresh token is not valid: sign in again.");
        if (cookie)
            session_forget_cookie(response);
    } else if (error) {
        problem_from_error(response, error, "refreshing");
    } else {
        session_answer(users, response, 200, &refresh.user, refresh.token.session_id, refresh.generation, cookie);
    }
}

/* ---- signing out, sessions ---- */

static bool read_nothing(struct http_request *request, struct http_response *response)
{
    json_t *body;
    if (!request_json(request, response, true, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    fields_done(&fields);
    return !problem_errors_answer(&errors, response);
}

HANDLER(users_api_logout)
{
    struct users *users = context;
    struct endings endings = {0};
    const struct http_identity *who = &request->identity;
    if (!read_nothing(request, response))
        return;
    int error = users_store_end_session(users->database, who->user_id, who->session_id, "logout", &endings);
    if (error && error != -ENOENT) {
        problem_from_error(response, error, "signing out");
        return;
    }
    sessions_ended(users, &endings);
    respond_empty(response, 204);
    if (text_equal_nocase(http_header(&request->headers, "X-Session-Mode"), text_of("cookie")))
        session_forget_cookie(response);
}

HANDLER(users_api_sessions)
{
    struct users *users = context;
    struct page page;
    json_t *list;
    if (!request_id_page(request, response, &page))
        return;
    const struct http_identity *who = &request->identity;
    int error = users_store_sessions(users->database, who->user_id, who->session_id, page.cursor, page.limit + 1, &list);
    if (error)
        problem_from_error(response, error, "listing sessions");
    else
        respond_page(response, list, page.limit);
}

HANDLER(users_api_end_session)
{
    struct users *users = context;
    struct endings endings;
    const char *session_id = request_id(request, response);
    if (!session_id)
        return;
    int error = users_store_end_session(users->database, request->identity.user_id, session_id, "ended_by_user", &endings);
    if (error == -ENOENT) {
        problem_not_found(response);
    } else if (error) {
        problem_from_error(response, error, "ending a session");
    } else {
        sessions_ended(users, &endings);
        respond_empty(response, 204);
    }
}

/* ---- the password ---- */

struct password_change {
    const char *current, *fresh;
};

static bool read_password_change(struct http_request *request, struct http_response *response, struct password_change *ret_change)
{
    json_t *body;
    if (!request_json(request, response, false, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    ret_change->current = field_string(&fields, "current_password", true, 1, LOGIN_PASSWORD_MAX);
    ret_change->fresh = field_string(&fields, "new_password", true, 8, 256);
    fields_done(&fields);
    if (ret_change->fresh && password_complaint(ret_change->fresh))
        problem_errors_add(&errors, "/new_password", "%s", password_complaint(ret_change->fresh));
    return !problem_errors_answer(&errors, response);
}

/* Guessing with a stolen access token waits like guessing at the door. */
static FIBER_FN int check_current(struct users *users, struct http_request *request, const char *password, struct user *ret_user)
{
    const char *account = request->identity.user_id;
    int error = users_store_find(users->database, account, ret_user);
    if (!error)
        error = backoff_wait(account);
    if (!error)
        error = password_verify(ret_user->password_hash, password);
    if (error == -EACCES)
        backoff_failed(account);
    else if (!error)
        backoff_succeeded(account);
    return error;
}

static FIBER_FN int change_password(struct users *users, struct http_request *request, const struct password_change *change)
{
    struct user user;
    struct endings endings;
    char *hash;
    int error = check_current(users, request, change->current, &user);
    if (!error)
        error = password_hash(change->fresh, &hash);
    if (error)
        return error;
    uint32_t begun = profile_change_begins(user.id);
    error = users_store_change_password(users->database, user.id, user.password_hash, hash, request->identity.session_id, &endings);
    profile_change_ends(users, user.id, begun, NULL);
    if (!error)
        sessions_ended(users, &endings);
    return error;
}

HANDLER(users_api_change_password)
{
    struct password_change change;
    if (!read_password_change(request, response, &change))
        return;
    int error = change_password(context, request, &change);
    if (error == -EACCES) {
        problem(response, 403, "wrong-password", "The current password is not right.");
        problem_member(response, "errors", json_pack("[{s:s, s:s}]", "pointer", "/current_password", "detail", "is not right"));
    } else if (error == -ENOENT) {
        problem_unauthorized(response, "invalid_token", "The account is gone.");
    } else if (error) {
        answer_busy(response, error, "changing a password");
    } else {
        respond_empty(response, 204);
    }
}
