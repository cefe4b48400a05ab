/* The host's loop: forks workers on command, watches and reaps them. */
#ifndef PURSER_FUNCTION_HOST_ZYGOTE_H
#define PURSER_FUNCTION_HOST_ZYGOTE_H

#include "function_host/protocol.h"

/* Serves the command socket until the service closes it; then kills every worker and returns. */
void zygote_serve(int command_fd, struct function_slots *slots, uint32_t walls);

#endif
