/* The headers that Helmet sets by default, on every answer; a page brings its own policy. */
#ifndef PURSER_GATEWAY_SECURITY_HEADERS_H
#define PURSER_GATEWAY_SECURITY_HEADERS_H

#include "http/message.h"

void security_headers(struct http_response *response);

#endif
