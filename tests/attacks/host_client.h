/* A small blocking client of purser-function-host for tests: what the functions service does, without its event loop. */
#ifndef PURSER_TESTS_HOST_CLIENT_H
#define PURSER_TESTS_HOST_CLIENT_H

#include "function_host/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOST_SLOTS 64

struct host {
    pid_t pid;
    int command_fd;
    struct function_slots *slots;
    size_t slots_bytes;
    uint32_t walls;
};

struct host_worker {
    struct host *host;
    uint32_t slot;
    int fd;
};

/* What came back: the last packet's type (0: the worker ended, see exit) and its words. */
struct host_answer {
    enum function_packet_type type;
    enum function_exit exit;
    uint32_t exit_detail;
    struct function_failure failure;
    uint64_t wait_us;
    char *result, *name, *message, *stack; /* owned */
    char *logs;                            /* "level: text\n" of every line; owned */
};

struct host_limits {
    uint32_t flags;
    uint32_t memory_kb;
    const char *function; /* whose budget it has; NULL: one of its own */
    uint32_t timeout_ms;
    uint32_t cpu_ms; /* 0: none */
    uint32_t result_bytes_max;
    uint32_t log_bytes_max;
};

extern const struct host_limits host_default_limits;

/* Starts the executable and waits until it is ready; fails the running test otherwise. No memory groups. */
void host_start(struct host *host, const char *executable);
/* With the folder for memory groups: "" finds one out, "off". */
void host_start_with(struct host *host, const char *executable, const char *groups);
void host_stop(struct host *host);

/* Forks a worker into the slot and loads the source. */
void host_load(struct host *host, struct host_worker *worker, uint32_t slot, const struct host_limits *limits,
               const char *source, struct host_answer *ret_answer);
void host_call(struct host_worker *worker, const struct host_limits *limits, const char *event, const char *context,
               struct host_answer *ret_answer);
/* Waits for a worker whose stream has ended, and gives its slot free. */
void host_release(struct host_worker *worker);

void host_answer_fini(struct host_answer *answer);

/* Load, call once, release: the common case. The answer is the call's, or the load's if that failed. */
void host_try(struct host *host, const struct host_limits *limits, const char *source, const char *event,
              struct host_answer *ret_answer);

uint64_t host_now_us(void);

#endif
