/* Cross-origin requests (Fetch standard): pre-flights are answered before anything else is asked, and every answer carries the headers. */
#ifndef PURSER_GATEWAY_CORS_H
#define PURSER_GATEWAY_CORS_H

#include "http/message.h"

/* True if it was a pre-flight, which has been answered. `origins` is the setting's comma-separated list. */
bool cors_preflight(struct http_request *request, struct http_response *response, const char *origins);
/* Adds what a browser needs to let its page see the answer. */
void cors_decorate(const struct http_request *request, struct http_response *response, const char *origins);
/* Whether `origin` is one of the list, or our own by the Host field. */
bool cors_is_allowed(const struct http_request *request, struct text origin, const char *origins);

#endif
