/* Rolls a worker's memory back to what it was: the engine's heap, compiled code, every library's variables. */
#ifndef PURSER_FUNCTION_HOST_SNAPSHOT_H
#define PURSER_FUNCTION_HOST_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

/* Notes what memory there is. Called once, by the host, before it forks and after all that maps memory. */
void snapshot_survey(int proc_fd);

/* From here on what is written to can be rolled back. False: that is not possible. */
bool snapshot_take(void);

/* Makes all memory but the stack what it was at snapshot_take; what callers hold must not have been made since. False: there
 * is no snapshot (any more), and one may be taken later if that is possible. */
bool snapshot_roll_back(void);

bool snapshot_is_taken(void);

/* False for good once this process has something that cannot be rolled back, such as a thread. */
bool snapshot_is_possible(void);

/* Before the kernel writes there, which unlike a program does not come through a protected page. */
void snapshot_will_write(void *data, size_t size);

#endif
