/*
 * A server's connection that has left HTTP (RFC 9110 section 7.8). A handler takes it over and has its bytes from then on; the server
 * keeps its memory, its place among the connections, and tells of drains. For the files of this folder.
 */
#ifndef PURSER_HTTP_UPGRADE_H
#define PURSER_HTTP_UPGRADE_H

#include "http/tcp.h"

/* As tcp_events, on the loop. All are there. */
struct http_upgrade_events {
    void (*read)(void *context, struct text bytes);
    void (*ended)(void *context, int error);
    void (*written)(void *context);
    void (*due)(void *context);
    void (*drain)(void *context); /* once: this server ends */
    void (*closed)(void *context); /* the last call */
};

struct http_upgrade {
    struct tcp *tcp;
    const struct http_upgrade_events *events; /* set by who takes it over, with the context */
    void *context;
};

/* Takes the connection over: `events` are called from the end of the handler on. Writes are allowed at once. */
static inline void http_upgrade_take(struct http_upgrade *upgrade, const struct http_upgrade_events *events, void *context)
{
    upgrade->context = context;
    upgrade->events = events;
}

#endif
