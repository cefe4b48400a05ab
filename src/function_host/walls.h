/* The walls around workers that are put up once, in the host itself, before anything is forked. */
#ifndef PURSER_FUNCTION_HOST_WALLS_H
#define PURSER_FUNCTION_HOST_WALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Moves the process into namespaces of its own, as far as the kernel allows. Called while it has one thread and before
 * walls_close_root. Adds what stands to *walls (enum function_wall). */
void walls_enter_namespaces(uint32_t *walls);

/* Leaves the file system behind: an empty root takes its place. Nothing can be opened by name after this, but for
 * what lies under the descriptor that walls_proc gives. */
void walls_close_root(uint32_t *walls);

/* A descriptor of /proc as the host saw it at the start. */
int walls_proc(void);

/* Forks into a process-id namespace of its own where there are such. Returns as fork() does. */
pid_t walls_fork(uint32_t *walls);

#endif
