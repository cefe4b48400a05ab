/* The watch over running calls: deadline, processor time, memory. It alone kills workers. */
#ifndef PURSER_FUNCTION_HOST_WATCH_H
#define PURSER_FUNCTION_HOST_WATCH_H

#include "function_host/protocol.h"

#include <stdbool.h>
#include <sys/types.h>

#define WATCH_WORKERS_MAX 1024

/* A worker as the host knows it. pid 0: no worker in this slot. */
struct watch_worker {
    pid_t pid;
    int socket_fd; /* the host's copy of the worker's end: the service sees the stream end when this closes */
    int statm_fd;
    clockid_t cpu_clock;
    uint32_t memory_kb;
    bool at_call, loaded;                   /* its first call is that which loads it */
    uint32_t call_number;                   /* of the last call that was seen */
    uint64_t cpu_start_ns;                  /* of that call, or of the pause since */
    uint64_t demoted_at_ns, demoted_cpu_ns; /* since when it has the lowest priority, and what it had used then; 0: not looked at since */
    bool lifted;                            /* to the usual priority for a moment, for it had been given too little */
    bool moving; /* into its memory group: its process id must not become free */
    enum function_exit killed_for; /* FUNCTION_EXIT_NONE: not killed by the watch */
    uint64_t killed_at_ns;
};

/* Finds out whether priorities may be raised again. Once, before watch_begin. */
void watch_init(void);

/* To the lowest priority, which everything else of the session goes before, until a call has been short; where the host may, a small share is
 * kept for it. */
void watch_demote(struct watch_worker *worker, struct function_slot *slot);

/* Notes how to look at a worker that was just forked. */
void watch_begin(struct watch_worker *worker, const struct function_slot *slot, int proc_fd);

/* Looks at one worker; kills it if it is beyond a limit. True while it is at a call, or is ending. */
bool watch_look(struct watch_worker *worker, struct function_slot *slot);

/* Closes what watch_begin opened. */
void watch_end(struct watch_worker *worker);

#endif
