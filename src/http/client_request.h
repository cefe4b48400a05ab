/* A request as its bytes go out. For the files of this folder. */
#ifndef PURSER_HTTP_CLIENT_REQUEST_H
#define PURSER_HTTP_CLIENT_REQUEST_H

#include "base/text.h"
#include "http/client.h"

/* Appends the head of the request. */
void http_request_print(const struct http_call *call, struct buffer *out);

#endif
