/* One client's connection and the request that is at work on it. Between server.c, connection.c and exchange.c alone. */
#ifndef PURSER_HTTP_CONNECTION_H
#define PURSER_HTTP_CONNECTION_H

#include "base/metrics.h"
#include "http/parser.h"
#include "http/server.h"
#include "http/upgrade.h"

#define EXCHANGE_INLINE 2048
#define STATUS_MAX 600

struct connection;

/* A request from its head to its answer. */
struct http_exchange {
    struct connection *connection;
    struct http_exchange *next; /* in the listener's stock */
    struct fiber *fiber;        /* NULL before and after */
    struct trace trace;
    struct http_head head;
    char *bytes; /* of the head; `inlined`, or on the heap */
    struct buffer body;
    struct http_chunks chunks;
    int64_t began_us;
    struct http_request request;
    struct http_response response;
    char inlined[EXCHANGE_INLINE];
};

enum connection_state { CONNECTION_HEAD, CONNECTION_BODY, CONNECTION_WORK, CONNECTION_PAUSE, CONNECTION_LINGER, CONNECTION_UPGRADED };

struct connection {
    struct tcp tcp;
    struct http_upgrade upgrade;
    struct listener *listener;
    struct connection *next, *previous; /* of the listener */
    struct http_exchange *exchange;     /* from the end of its head on */
    struct buffer in;                   /* what came and is not taken: part of a head, or requests behind the one at work */
    size_t scanned;
    size_t unwritten; /* of an answer, when it was last looked */
    enum connection_state state;
    bool advancing; /* requests are being taken from what came */
    bool ended;     /* the client sends no more */
    bool closed;    /* the tcp is gone; an exchange is at work still */
    bool counted;   /* among the listener's busy */
    bool told;      /* that the server drains, after an upgrade */
    bool asked;     /* a request has begun on it */
    char address[46];
};

/* How far a listener has come with its end. */
enum listener_listening { LISTENER_OPEN, LISTENER_REFUSES, LISTENER_CLOSED, LISTENER_DONE };

/* A server's part on one worker. */
struct listener {
    uv_poll_t poll;
    int fd; /* -1: closed */
    bool open, draining, sockets_told;
    bool ends; /* a drain was ordered; any thread */
    struct http_server *server;
    struct worker *worker;
    struct connection *connections;
    unsigned connection_count, busy, at_work; /* changed by its worker, read by any */
    struct http_exchange *stock; /* ended ones, for the next requests */
    unsigned stock_count;
    struct buffer head; /* of the answer that is being written */
    struct timer timer;
    struct timer again;                /* to accept what memory or descriptors were short for */
    struct connection *spare;          /* memory for the next one */
    int64_t said_mono_ms;              /* that they were */
    enum listener_listening listening; /* changed by its worker, read by any */
    int64_t next_step_mono_ms, told_until_mono_ms;
};

struct http_server {
    struct http_server *next;
    const char *name;
    struct http_handler handler;
    void (*decorate)(void *context, const struct http_request *request, struct http_response *response);
    char address[64];
    unsigned listener_count;
    unsigned descriptors; /* so many are there for the clients of each listener */
    struct listener *listeners;
    struct gauge *connections;
    struct histogram *duration;
    struct counter *by_status[STATUS_MAX];
};

/* server.c: metrics and the log line of one answer. `exchange` may be NULL (the head was refused). */
void server_note(struct http_server *server, const struct http_exchange *exchange, const struct trace *trace, int status, size_t bytes);

/* accept.c */
/* Takes whoever comes; again, after it was stopped for want of memory or descriptors. 0 or a negative errno. */
int connection_listen(struct listener *listener);
/* Takes a descriptor that was accepted; closes it where it can't. */
void connection_adopt(struct listener *listener, int fd);

/* request_take.c: one step from the bytes in `rest`, which lose what it used, towards a whole request; false where it can go no further. */
bool request_take(struct connection *connection, struct text *rest);

/* connection.c */
extern const struct tcp_events connection_events;
/* Answers that what came is no request that can be served, and ends the connection in order. */
void connection_refuse(struct connection *connection, int status, const char *why);
/* Sets what the connection waits for, and by when; `moved`: bytes were taken or written, so its time begins anew. */
void connection_settle(struct connection *connection, bool moved);
/* Whether anything of a client's request or our answer is under way, for the listener's count. */
void connection_count_busy(struct connection *connection);
/* The answer is written, or the connection was taken over: what comes next? `pause_ms`: where it is not closed, after so long. */
void connection_answered(struct connection *connection, bool close, int pause_ms);
void connection_tell_drain(struct connection *connection);

/* exchange.c */
struct http_exchange *exchange_new(struct connection *connection, struct text head);
void exchange_free(struct http_exchange *exchange);
/* The request is whole: runs the handler on a fiber, or refuses at once where too many are at work. */
void exchange_start(struct http_exchange *exchange);
/* Answers without a fiber: a problem in plain words. `exchange` may be NULL. Returns whether it could be written. */
bool exchange_refuse(struct connection *connection, struct http_exchange *exchange, int status, const char *why, bool close);

/* answer.c: the head of an answer, appended to `out`. */
struct answer_facts {
    const struct trace *trace;
    bool close, to_head, old_client; /* HTTP/1.0 that wants to stay */
};
void answer_head(const struct http_response *response, const struct answer_facts *facts, struct buffer *out);

#endif
