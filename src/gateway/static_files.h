/*
 * The web app's files, read into memory once at the start and never changed: lookups need no lock. What is not here is
 * somebody else's to answer.
 */
#ifndef PURSER_GATEWAY_STATIC_FILES_H
#define PURSER_GATEWAY_STATIC_FILES_H

#include "base/err.h"
#include "http/message.h"

#include <stdbool.h>

struct static_files;

/* Reads every file under `folder`. 0, or a negative error with words: no such folder, no index.html, or more than
 * 4,096 files or 64 MB. Blocks on the disk: at the start only. */
int static_files_load(const char *folder, struct static_files **ret_files, struct err *err);
/* No answer may be in use any more. NULL is fine. */
void static_files_free(struct static_files *files);

/*
 * Answers a GET or HEAD for a file of the app, and with index.html a page that a person asks for by its address
 * (Accept has text/html, the last segment no dot, the path is not under /api/). Returns false, with the response
 * untouched, for all else. `files` may be NULL: then always false. Does not wait.
 */
bool static_files_answer(const struct static_files *files, const struct http_request *request,
                         struct http_response *response);

#endif
