/* The front door as the process skeleton sees it. */
#ifndef PURSER_GATEWAY_GATEWAY_H
#define PURSER_GATEWAY_GATEWAY_H

#include "service/process.h"

extern const struct process_front gateway_front;

#endif
