/* What the functions service and purser-function-host say to each other.
 *
 * Three channels. On the command socket (SOCK_SEQPACKET) the service sends struct function_command, with the worker's
 * end of a socket pair attached when a worker is to be forked, and the host answers once with struct function_ready.
 * On the worker's socket pair (SOCK_SEQPACKET) messages travel as packets. In the shared table of slots the service
 * writes the deadline of the call that a worker is at, and the host, which alone may kill, writes how a worker ended. */
#ifndef PURSER_FUNCTION_HOST_PROTOCOL_H
#define PURSER_FUNCTION_HOST_PROTOCOL_H

#include <stdatomic.h>
#include <stdint.h>

#define FUNCTION_HOST_MAGIC 0x70757266u

/* Descriptors that the host finds open when it starts. */
#define FUNCTION_HOST_COMMAND_FD 3
#define FUNCTION_HOST_SLOTS_FD 4

/* A message is cut into packets of at most this many bytes, header included. */
#define FUNCTION_PACKET_BYTES_MAX (32u * 1024)
#define FUNCTION_MESSAGE_BYTES_MAX (4u * 1024 * 1024)
#define FUNCTION_FIELDS_MAX 4
/* Of a function's name, with its NUL. */
#define FUNCTION_NAME_BYTES 64

enum function_command_type {
    FUNCTION_COMMAND_SPAWN = 1, /* fork a worker into a slot; carries its socket */
    FUNCTION_COMMAND_WAKE = 2,  /* a deadline was written while the host slept */
};

struct function_command {
    uint32_t type;
    uint32_t slot;
    uint32_t memory_kb; /* private memory beyond which the worker is killed */
    char function[FUNCTION_NAME_BYTES]; /* whose worker it is: all of a function's have one budget of processor time */
};

/* Which walls stand around a worker; the service shows them in its readiness. */
enum function_wall {
    FUNCTION_WALL_USER_NAMESPACE = 1 << 0,
    FUNCTION_WALL_MOUNT_NAMESPACE = 1 << 1, /* and an empty, read-only root */
    FUNCTION_WALL_PID_NAMESPACE = 1 << 2,
    FUNCTION_WALL_NETWORK_NAMESPACE = 1 << 3,
    FUNCTION_WALL_IPC_NAMESPACE = 1 << 4,
    FUNCTION_WALL_UTS_NAMESPACE = 1 << 5,
    FUNCTION_WALL_UID = 1 << 6, /* a user id of its own, without rights */
    FUNCTION_WALL_SECCOMP = 1 << 7,
    FUNCTION_WALL_EMPTY_ROOT = 1 << 8,
    FUNCTION_WALL_CGROUP = 1 << 9, /* memory limit by the kernel beside the watch on resident size */
};

struct function_ready {
    uint32_t magic;
    uint32_t walls;
};

enum function_exit {
    FUNCTION_EXIT_NONE = 0,
    FUNCTION_EXIT_QUIT,      /* it ended by itself, as it does when its socket closes */
    FUNCTION_EXIT_TIMEOUT,   /* killed at its deadline */
    FUNCTION_EXIT_CPU,       /* killed at its limit of processor time */
    FUNCTION_EXIT_MEMORY,    /* killed at its limit of memory */
    FUNCTION_EXIT_FORBIDDEN, /* killed by the kernel for a forbidden system call */
    FUNCTION_EXIT_CRASHED,   /* any other signal; detail is its number */
    FUNCTION_EXIT_NO_SPAWN,  /* it could not be forked or sealed */
};

/* Whether a worker runs at the lowest priority, as all workers of a function do that has used up its budget. */
enum function_demotion {
    FUNCTION_DEMOTION_NONE = 0,
    FUNCTION_DEMOTION_FOR_NOW,
    FUNCTION_DEMOTION_FOREVER, /* it cannot be raised here: the service should let go of it after its call */
};

/* A worker's line in the shared table. The service reuses a slot only after it has seen its socket closed. */
struct function_slot {
    _Atomic uint64_t deadline_ns;  /* CLOCK_MONOTONIC; 0: at no call */
    _Atomic uint64_t cpu_limit_ns; /* of this call */
    _Atomic uint32_t call_number;  /* changes with every call */
    _Atomic uint32_t exit;         /* enum function_exit, written before the socket closes */
    _Atomic uint32_t exit_detail;
    _Atomic uint32_t resident_kb; /* private memory, as last seen */
    _Atomic uint32_t demoted;     /* enum function_demotion */
    _Atomic uint32_t grouped;     /* 1: the kernel holds it to its memory, too */
    uint32_t reserved[4];
};

struct function_slots {
    _Atomic uint32_t asleep; /* the host waits without a time limit and needs FUNCTION_COMMAND_WAKE */
    uint32_t count;
    uint64_t reserved[7];
    struct function_slot slot[];
};

enum function_packet_type {
    FUNCTION_PACKET_LOAD = 1, /* service → worker: struct function_load, name, source, settings as JSON */
    FUNCTION_PACKET_CALL,     /* service → worker: event as JSON, context as JSON */
    FUNCTION_PACKET_TRIM,     /* service → worker: nobody calls at the moment, give memory back */
    FUNCTION_PACKET_LOADED,   /* worker → service */
    FUNCTION_PACKET_RESULT,   /* worker → service: struct function_timing, result as JSON */
    FUNCTION_PACKET_FAILED,   /* worker → service: struct function_failure, name, message, stack */
    FUNCTION_PACKET_LOG,      /* worker → service, any number during a call: level, text */
};

struct function_packet {
    uint8_t type;
    uint8_t more; /* 1: the message goes on in the next packet */
    uint16_t fields;
    uint32_t length; /* of what follows in this packet */
};

enum function_load_flags {
    FUNCTION_LOAD_REUSE = 1 << 0, /* keep the globals from one call to the next */
};

struct function_load {
    uint32_t flags;
    uint32_t result_bytes_max;
    uint32_t log_bytes_max; /* of one call */
    uint32_t version;
};

struct function_timing {
    uint64_t run_ns;
};

enum function_failure_kind {
    FUNCTION_FAILURE_SYNTAX = 1,
    FUNCTION_FAILURE_NO_HANDLER,
    FUNCTION_FAILURE_THROWN,
    FUNCTION_FAILURE_NOT_JSON,
    FUNCTION_FAILURE_OUTPUT,
    FUNCTION_FAILURE_MEMORY,
    FUNCTION_FAILURE_NEVER_SETTLES,
};

struct function_failure {
    uint32_t kind;
    uint32_t line;   /* 0: not known */
    uint32_t column; /* 0: not known */
    uint32_t reserved;
    uint64_t run_ns;
};

#endif
