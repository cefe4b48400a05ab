/* RFC 9457 problem answers: one place for their shape, and for which status a failure becomes. */
#ifndef PURSER_HTTP_PROBLEM_H
#define PURSER_HTTP_PROBLEM_H

#include "http/message.h"

/* `name` is what follows /problems/ ("not-found"); the title is the name in words; `detail` a sentence, may be a format.
 * Known names decide the status: see problem.c's table. request_id comes from the fiber's trace. */
void problem(struct http_response *response, int status, const char *name, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds a member beside the standard ones ("total", "stack") to the problem just made; takes the value over. */
void problem_member(struct http_response *response, const char *key, json_t *value);

/* Everything that is wrong with an input, collected, then answered at once as 422 /problems/invalid. */
struct problem_errors {
    struct arena *arena;
    json_t *list; /* NULL while empty */
};
void problem_errors_add(struct problem_errors *errors, const char *pointer, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));
/* true and a 422 answer if there are any. */
bool problem_errors_answer(struct problem_errors *errors, struct http_response *response);

/* The usual ones. */
void problem_not_found(struct http_response *response);
/* With WWW-Authenticate (RFC 6750): `error` says what is wrong with the token that came, NULL where none did. */
void problem_unauthorized(struct http_response *response, const char *error, const char *detail);
void problem_forbidden(struct http_response *response, const char *detail);
/* 503 with Retry-After in seconds. */
void problem_unavailable(struct http_response *response, int retry_after_s, const char *detail);
/* From a negative code of an engine or a wait: -ETIMEDOUT 504, -EAGAIN/-EBUSY/-ENOTCONN/-ECANCELED 503, else 500 (logged). */
void problem_from_error(struct http_response *response, int code, const char *doing);

/* From what json_parse said of the body: 400, or 422 (pointer "") where it is well-formed but has a NUL in a string. */
void problem_not_json(struct http_response *response, const struct err *err);

/* Reads the request's body as a JSON object: checks Content-Type (415), syntax (400), object and NULs (422 pointer ""). On failure it
 * has answered and returns false. An empty body counts as {} if `empty_allowed`. */
bool request_json(struct http_request *request, struct http_response *response, bool empty_allowed, json_t **ret_object);

/* Field by field: what is missing, of another type or beyond limits adds an error; unknown fields are refused by
 * fields_done. `pointer` is "/" and the name. Each returns NULL/0 where it added an error or the field is absent. */
struct fields {
    json_t *object;
    const char *base; /* pointer of the object, "" at the top */
    struct problem_errors *errors;
    const char *known[32];
    unsigned known_count;
};
struct fields fields_of(json_t *object, const char *base, struct problem_errors *errors);
/* Characters (code points) between min and max; control characters refused. */
const char *field_string(struct fields *fields, const char *name, bool required, size_t min, size_t max);
int64_t field_integer(struct fields *fields, const char *name, bool required, int64_t min, int64_t max, bool *ret_present);
json_t *field_array(struct fields *fields, const char *name, bool required, size_t min, size_t max);
json_t *field_object(struct fields *fields, const char *name, bool required);
json_t *field_any(struct fields *fields, const char *name);
void fields_done(struct fields *fields); /* adds an error for every unknown field */

#endif
