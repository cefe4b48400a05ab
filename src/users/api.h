/* HTTP handlers of the user service; the context is a struct users. */
#ifndef PURSER_USERS_API_H
#define PURSER_USERS_API_H

#include "http/message.h"
#include "users/store.h"

#define HANDLER(name) FIBER_FN void name(void *context, struct http_request *request, struct http_response *response)

/* api_auth.c */
HANDLER(users_api_register);
HANDLER(users_api_login);
HANDLER(users_api_refresh);
HANDLER(users_api_logout);
HANDLER(users_api_sessions);
HANDLER(users_api_end_session);
HANDLER(users_api_change_password);

/* api_users.c */
HANDLER(users_api_me);
HANDLER(users_api_change_me);
HANDLER(users_api_delete_me);
HANDLER(users_api_list);
HANDLER(users_api_get);
HANDLER(users_api_change_role);

/* api_internal.c */
HANDLER(users_api_jwks);
HANDLER(users_api_revocations);
HANDLER(users_api_create_admin);
HANDLER(users_api_rotate_keys);

/* A new account from the body's email, password and name, hashed; false after an answer. */
FIBER_FN bool users_api_read_account(struct http_request *request, struct http_response *response, struct user *ret_user);
/* 409 with the pointer. */
void users_api_email_taken(struct http_response *response);

#endif
