/*
 * purser-function-host as a child process: started, watched and started again. Processes of it are forked by command and told of
 * their deadlines through the shared table (see function_host/protocol.h). All calls but start and stop come from any thread.
 */
#ifndef PURSER_FUNCTIONS_HOST_H
#define PURSER_FUNCTIONS_HOST_H

#include "base/err.h"
#include "function_host/protocol.h"
#include "runtime/fiber.h"

#include <stdbool.h>
#include <stdint.h>

struct host_life; /* one run of the host, from start to exit */

/* A process of the host: its slot and our end of its socket. */
struct host_process {
    struct host_life *life;
    uint32_t slot;
    int fd;
};

/* On worker 0. An executable that is missing is an error with one line; the rest of the service works without it. */
int host_start(struct err *err);
/* Ends the host and with it every process. On worker 0. */
FIBER_FN void host_stop(void);

bool host_is_up(void);
/* Waits until it is up, at most `ms`. 0, -ENOTCONN, -ECANCELED. */
FIBER_FN int host_wait(int64_t ms);
/* enum function_wall of the last start; 0 before. */
uint32_t host_walls(void);
/* The walls that are missing, as words in `ret_text`; empty if none that matters. */
void host_missing_walls(char *ret_text, size_t size);

/* Asks for a process of that function. 0; -ENOTCONN: no host; -EAGAIN: no slot is free. The process may turn out not to live: see host_exit. */
int host_fork(const char *function, int64_t memory_kb, struct host_process *ret_process);
/* The host kills the process when the deadline is passed or more processor time is used. */
void host_call_begin(const struct host_process *process, int64_t timeout_ms);
void host_call_end(const struct host_process *process);
void host_kill(const struct host_process *process);
/* How it ended; after its socket has. FUNCTION_EXIT_NONE: the host itself is gone. */
enum function_exit host_exit(const struct host_process *process, uint32_t *ret_detail);
/* Private memory at the last look; whether it runs at the lowest priority and cannot be raised again. */
uint32_t host_resident_kb(const struct host_process *process);
bool host_is_demoted(const struct host_process *process);
/* Lets go of the slot, once nothing uses fd any more, and closes it. The process ends by itself. */
void host_leave(struct host_process *process);
/* Kills the host itself, when it does not keep its promise to kill. */
void host_restart(void);

#endif
