/* How much waits in the outboxes of this process's services, as gauges at /metrics: counted when somebody asks for them. */
#ifndef PURSER_SERVICE_BACKLOG_H
#define PURSER_SERVICE_BACKLOG_H

#include "runtime/fiber.h"

/* From now on each print of the metrics counts first. Once, at start. */
void backlog_start(void);
/* Waits for counts that are at work and begins no more: databases may be closed then. */
FIBER_FN void backlog_stop(void);

#endif
