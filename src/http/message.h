/*
 * Requests and answers as handlers see them: the same structs whether they came over a socket or from a call inside the
 * process (RFC 9110). All memory belongs to the fiber's arena.
 */
#ifndef PURSER_HTTP_MESSAGE_H
#define PURSER_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"
#include "base/trace.h"
#include "runtime/fiber.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_HEADERS_MAX 100
#define HTTP_LINE_MAX (8 * 1024)
#define HTTP_HEAD_MAX (32 * 1024)
#define HTTP_PARAMETERS_MAX 32

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };

struct http_header {
    struct text name, value;
};

struct http_headers {
    struct http_header *list;
    unsigned count, room;
};

/* Who asks: set by the gateway after the token check (or by the internal headers, where a service runs apart). */
struct http_identity {
    const char *user_id; /* NULL: nobody */
    const char *role;    /* "user", "admin" */
    const char *session_id;
    int64_t expires_wall_ms; /* of the token */
};

struct http_upgrade; /* the connection, for a WebSocket (websocket.h); NULL in a direct call */

struct http_request {
    struct arena *arena;
    enum http_method method;
    struct text method_name;
    struct text target; /* as sent */
    struct text path;   /* the target without query; percent-encoding intact */
    struct text query;
    struct http_headers headers;
    struct text body;
    const char *client_address; /* numeric, after trusted proxies */
    struct http_identity identity;
    const struct trace *trace;
    struct http_upgrade *upgrade;
    const char *route;                     /* the pattern that matched, for logs and metrics */
    struct text parameters[4];             /* {…} of the pattern, percent-decoded, in order */
};

struct http_response {
    struct arena *arena;
    int status; /* 0 until a handler has answered */
    struct http_headers headers;
    struct text body;
    bool close;    /* close the connection after it */
    int pause_ms;  /* for so long the connection's next request is not read; 0: at once */
    bool upgraded; /* the connection was taken over */
};

/* What answers requests: a router, a gateway, one service. Runs on a fiber; always leaves an answer. */
struct http_handler {
    FIBER_FN void (*handle)(void *context, struct http_request *request, struct http_response *response);
    void *context;
};

/* The first value of the field, or empty text with at == NULL. Names without regard to case. */
struct text http_header(const struct http_headers *headers, const char *name);
/* Appends; name and value are borrowed and must live as long as the arena. */
void http_header_add(struct arena *arena, struct http_headers *headers, const char *name, const char *value);
/* Replaces or appends. */
void http_header_set(struct arena *arena, struct http_headers *headers, const char *name, const char *value);
void http_header_remove(struct http_headers *headers, const char *name);

/* A query parameter, percent-decoded and NUL-terminated, or NULL when absent. A malformed escape gives "\\x7f", which no parameter
 * allows, so that the rule for its value refuses it. */
const char *http_query(struct http_request *request, const char *name);
/* No parameter has more than one value: false when a name comes twice, or when there are more than HTTP_PARAMETERS_MAX. */
bool http_query_is_clear(const struct http_request *request);
/* %XX decoded into the arena; NULL for a malformed escape or a NUL. */
char *http_percent_decode(struct arena *arena, struct text coded);

const char *http_reason(int status);

/* Answers with a JSON body (200 … 299). `tree` need not outlive the call. */
void respond_json(struct http_response *response, int status, const json_t *tree);
void respond_empty(struct http_response *response, int status);
/* Any type; the body is borrowed. */
void respond_bytes(struct http_response *response, int status, const char *content_type, struct text body);

#endif
