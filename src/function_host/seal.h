/* What a worker gives up for ever before it runs a line of JavaScript. */
#ifndef PURSER_FUNCTION_HOST_SEAL_H
#define PURSER_FUNCTION_HOST_SEAL_H

#include <stdint.h>

/* The descriptor that a worker's socket has. */
#define SEAL_SOCKET_FD 9

/* Makes the filter of system calls and notes which descriptors a worker keeps. Called once, in the host, while /proc is
 * there. Ends the process with one line if the filter cannot be made: there is no running without it. */
void seal_init(uint32_t *walls);

/* Seals the calling process, a fresh worker in this slot. 0, or -1: then it must exit. */
int seal_worker(int socket_fd, uint32_t slot);

#endif
