/* Each function's budget of processor time: a token bucket, shared by all of its workers and kept for a while after the last has ended. The first
 * moment of every call is free, so short calls never touch it; what long ones use beyond that is taken from it. A function that has used it up
 * stands back behind everything else until it is full again. As it refills all the time, it is also the share that a function has of a machine that
 * others keep busy. No I/O; times are the caller's. */
#ifndef PURSER_FUNCTION_HOST_BUDGET_H
#define PURSER_FUNCTION_HOST_BUDGET_H

#include "function_host/protocol.h"

#include <stdbool.h>
#include <stdint.h>

struct budget {
    char function[FUNCTION_NAME_BYTES];
    uint32_t workers;
    int64_t left_ns; /* below nothing: owed */
    uint64_t refilled_at_ns;
    bool used_up; /* until it is full again */
};

/* The size of every budget; a function owes as much again at most. Before the first is taken. */
void budget_set_size(int64_t size_ns);

/* That of the function, for one more worker. */
struct budget *budget_take(const char *function, uint64_t now_ns);
void budget_give(struct budget *budget);

/* Takes what was used since the last time, which may be nothing. True: the function stands back. */
bool budget_charge(struct budget *budget, uint64_t used_ns, uint64_t now_ns);

#endif
