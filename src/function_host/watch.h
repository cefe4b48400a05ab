/* The watch over running calls: deadline, processor time, memory. It alone kills workers, and moves them between priorities. */
#ifndef PURSER_FUNCTION_HOST_WATCH_H
#define PURSER_FUNCTION_HOST_WATCH_H

#include "function_host/budget.h"
#include "function_host/protocol.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#define WATCH_WORKERS_MAX 1024

/* A worker as the host knows it. pid 0: no worker in this slot. */
struct watch_worker {
    pid_t pid;
    int socket_fd; /* the host's copy of the worker's end: the service sees the stream end when this closes */
    int statm_fd;
    clockid_t cpu_clock;
    uint32_t memory_kb;
    struct budget *budget; /* its function's */
    bool at_call, loaded;  /* its first call is that which loads it */
    bool sunk;             /* to the lowest priority */
    uint32_t call_number;  /* of the last call that was seen */
    uint64_t call_cpu_ns;  /* what it had used when that call was first seen */
    uint64_t seen_cpu_ns;  /* what it has been charged for */
    uint64_t free_ns;      /* what it may use yet before it is charged again */
    bool moving; /* into its memory group: its process id must not become free */
    enum function_exit killed_for; /* FUNCTION_EXIT_NONE: not killed by the watch */
    uint64_t killed_at_ns;
};

/* Finds out whether priorities may be raised again. Once, before watch_begin. */
void watch_init(void);

/* In a worker that was just forked, before anything else, for the host may come to it later only: to the lowest priority. */
void watch_sink_self(void);

/* Notes how to look at a worker that was just forked; it holds its function's budget by then. */
void watch_begin(struct watch_worker *worker, struct function_slot *slot, int proc_fd);

/* Looks at one worker: charges its function's budget, kills it if it is beyond a limit. True while it is at a call, or is ending. */
bool watch_look(struct watch_worker *worker, struct function_slot *slot);

/* To the priority that its function's budget allows. When all have been looked at. */
void watch_place(struct watch_worker *worker, struct function_slot *slot);

/* Closes what watch_begin opened, and charges what it used, its own end included. */
void watch_end(struct watch_worker *worker, const struct rusage *usage);

#endif
