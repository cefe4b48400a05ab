/*
 * The web app as the gateway serves it: the set of files that counts now. It is read at the start and again at SIGHUP, so that a micro front
 * end is deployed by building it and a signal; a set that cannot be read leaves the former one in its place.
 */
#ifndef PURSER_GATEWAY_WEB_APP_H
#define PURSER_GATEWAY_WEB_APP_H

#include "base/err.h"
#include "http/message.h"

#include <stdbool.h>

/* By the setting `web`; none there is no error unless it was named. At the start: blocks on the disk. */
int web_app_start(struct err *err);
/* A line in the log where none was named and none was found. */
void web_app_say_if_none(void);
/* As static_files_answer. Any worker. */
bool web_app_answer(const struct http_request *request, struct http_response *response);
/* As static_files_refuse. Any worker. */
void web_app_refuse(const struct http_request *request, struct http_response *response);
/* On worker 0: reads the folder again, on a thread of its own, and says in the log what came of it. */
void web_app_reload(void);

#endif
