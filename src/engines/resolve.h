/* Names to addresses without blocking the loop: for client libraries that would resolve by themselves, and block. */
#ifndef PURSER_ENGINES_RESOLVE_H
#define PURSER_ENGINES_RESOLVE_H

#include "runtime/fiber.h"

#define RESOLVE_ADDRESS_SIZE 46

/* The first address of a name (a numeric address is its own). 0 or -EAGAIN. */
FIBER_FN int resolve_address(const char *host, char ret_address[RESOLVE_ADDRESS_SIZE]);

#endif
