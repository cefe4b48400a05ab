/* The HTTP handlers of functions. Their context is a struct functions_context. */
#ifndef PURSER_FUNCTIONS_API_H
#define PURSER_FUNCTIONS_API_H

#include "http/router.h"

FIBER_FN void functions_api_list(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_get(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_create(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_update(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_delete(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_versions(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_rollback(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_logs(void *context, struct http_request *request, struct http_response *response);
/* For the command line: makes the function or its next version; goes back to the version before the current if none is named. */
FIBER_FN void functions_api_deploy_internal(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_rollback_internal(void *context, struct http_request *request, struct http_response *response);

/* Calls (api_calls.c). */
FIBER_FN void functions_api_invoke(void *context, struct http_request *request, struct http_response *response);
/* The same for other services: any function, whoever may call it from outside. */
FIBER_FN void functions_api_invoke_internal(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void functions_api_invocation(void *context, struct http_request *request, struct http_response *response);

#endif
