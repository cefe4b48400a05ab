/* One run of purser-function-host, as host.c keeps it and host_processes.c uses it. Of no use to others. */
#ifndef PURSER_FUNCTIONS_HOST_LIFE_H
#define PURSER_FUNCTIONS_HOST_LIFE_H

#include "functions/host.h"

#include <pthread.h>
#include <uv.h>

#define SLOT_COUNT 512

struct host_life {
    struct function_slots *slots;
    size_t slots_bytes;
    int command_fd;
    unsigned users; /* processes, and the host itself */
    bool up;
    bool taken[SLOT_COUNT];   /* a process is there */
    bool leaving[SLOT_COUNT]; /* ours has gone; the slot is free when its exit is written */
    uint32_t next_slot;
    uv_process_t process;
    uv_poll_t poll; /* the command socket, for the line that says ready */
    int64_t started_mono_ms;
};

/* Guards the lives; held for a few instructions and one sendmsg at most. */
extern pthread_mutex_t host_lock;
extern struct host_life *host_current; /* NULL between two lives */

/* With the lock held. It goes with its last user. */
void host_life_unref(struct host_life *life);

#endif
