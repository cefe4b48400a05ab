/* Memory groups of the kernel: where cgroups can be written, each slot has one, and its worker is held to its memory by the kernel beside
 * the watch. Everything here is best effort: a worker that could not be put into its group has the watch alone. */
#ifndef PURSER_FUNCTION_HOST_GROUPS_H
#define PURSER_FUNCTION_HOST_GROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Makes a group for this host within `folder` (of cgroup v1's memory controller or of v2, which then must have no processes of its own), or
 * within the host's own group if it is empty; "off": none. Then starts the process that moves workers. Before the walls are put up. */
void groups_start(const char *folder);

/* Whether moving works, which is tried with a child first. Waits for that, a second at most; after false there are no groups. */
bool groups_stand(void);

/* The descriptor that becomes readable when a worker has been moved; -1: no groups. */
int groups_fd(void);

/* Asks for a worker to be moved. True: groups_moved will tell of it, and until then the process must not be reaped, for its id would be
 * free for somebody else. Does not wait. */
bool groups_move(uint32_t slot, pid_t pid, uint32_t memory_kb);

/* The next slot whose worker has been seen to, and whether it is in its group. False: none at the moment; *ret_gone: nor ever again. */
bool groups_moved(uint32_t *ret_slot, bool *ret_inside, bool *ret_gone);

/* Whether the kernel has killed in this slot's group since it was last asked. */
bool groups_was_killed(uint32_t slot);

#endif
