/*
 * One process of Purser: engines, a set of services, and perhaps the front door. It starts them from the bottom up on a fiber of worker
 * 0, serves, and at SIGTERM drains and stops them from the top down.
 */
#ifndef PURSER_SERVICE_PROCESS_H
#define PURSER_SERVICE_PROCESS_H

#include "service/service.h"

/* The front door (the gateway is a layer above and hands this in). */
struct process_front {
    FIBER_FN int (*prepare)(struct err *err); /* what needs nothing that is started, and may fail: it comes first */
    FIBER_FN int (*start)(struct cache *cache, struct err *err);
    const char *(*address)(void);      /* where it listens, with the real port */
    void (*drain)(void);               /* SIGTERM: stop taking work, tell sockets to come back */
    unsigned (*in_flight)(void);       /* requests at work and open sockets */
    FIBER_FN void (*stop)(void);
    void (*reload)(void);              /* after SIGHUP, settings are new */
};

struct process_plan {
    const struct service *const *services; /* in order of starting; ends with NULL */
    const struct process_front *front;     /* NULL: services listen on addresses of their own */
    bool tables_only;                      /* with a job: databases are opened and migrated, nothing else */
    FIBER_FN void (*ready)(void *arg);     /* once all is up, before the line that says so. May be NULL */
    /* NULL: serve until SIGTERM. Else: nothing listens; the job runs once everything is up, then all stops; its result is the exit status. */
    FIBER_FN int (*job)(void *arg);
    void *arg;
};

/* Returns the exit status; what went wrong was said in one line. */
int process_run(const struct process_plan *plan);

/* Whether this process drains. */
bool process_is_draining(void);

#endif
