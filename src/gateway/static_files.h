/*
 * A set of the web app's files, read into memory and never changed: lookups need no lock. What is not here is somebody
 * else's to answer.
 */
#ifndef PURSER_GATEWAY_STATIC_FILES_H
#define PURSER_GATEWAY_STATIC_FILES_H

#include "base/err.h"
#include "http/message.h"

#include <stdbool.h>

struct static_files;

/* Reads every file under `folder`. Of `former`, which may be NULL, it takes the files over whose names carry a hash and
 * that are no more there: pages that are open in browsers still ask for them. 0 and a set with one reference, or a
 * negative error with words: no such folder, no index.html, or more than 4,096 files or 64 MB. Blocks on the disk. */
int static_files_load(const char *folder, const struct static_files *former, struct static_files **ret_files, struct err *err);
/* Any thread. NULL is fine. */
struct static_files *static_files_ref(struct static_files *files);
void static_files_unref(struct static_files *files);

/*
 * Answers a GET or HEAD for a file of the app, and with index.html a page that a person asks for by its address
 * (Accept has text/html, and the path is none of the gateway's own). Returns false, with the response
 * untouched, for all else. `files` may be NULL: then always false. Does not wait. The answer holds a reference until its
 * arena goes.
 */
bool static_files_answer(struct static_files *files, const struct http_request *request, struct http_response *response);
/* The response is a refusal. Where a person asked for a page, index.html takes the place of its body: the app finds words for it. Else, and
 * with `files` NULL, it stays as it is. As above in all else. */
void static_files_refuse(struct static_files *files, const struct http_request *request, struct http_response *response);

#endif
