/* What handlers of resources have in common: who may see what, the id in the path, a page of a list. */
#ifndef PURSER_HTTP_RESOURCE_H
#define PURSER_HTTP_RESOURCE_H

#include "http/problem.h"

bool request_is_admin(const struct http_request *request);
/* Whether the caller may see what belongs to `user_id`: it is theirs, or they are an admin. What they may not see is answered as what is not
 * there, by problem_not_found. */
bool request_may_see(const struct http_request *request, const char *user_id);
/* Whose things the caller's lists show: NULL, everybody's, for an admin, else their own id. */
const char *request_whose(const struct http_request *request);

/* The first parameter of the path, which has to be an id; NULL after a 404 answer. */
const char *request_id(const struct http_request *request, struct http_response *response);

/* Lists: ?limit= 1..100 (20) and ?cursor=. */
struct page {
    int limit;
    const char *cursor; /* "" when none */
};
/* False after a 422 answer. */
bool request_page(struct http_request *request, struct http_response *response, struct page *ret_page);
/* The same for a list with more parameters: what is wrong is added to `errors`, to be answered with theirs. */
void request_page_errors(struct http_request *request, struct problem_errors *errors, struct page *ret_page);
/* As these two, for lists by descending id: the cursor is an id, UUID_LAST when none. */
bool request_id_page(struct http_request *request, struct http_response *response, struct page *ret_page);
void request_id_page_errors(struct http_request *request, struct problem_errors *errors, struct page *ret_page);

/* 200 with a page of `list`, which was read one longer than `limit` to see whether more follows: that one is taken off. The members' "id" is
 * the next cursor. */
void respond_page(struct http_response *response, json_t *list, int limit);

#endif
