/*
 * Wrong passwords make the next try for the same account wait, longer each time up to two seconds; never is it refused for that, so nobody
 * can lock somebody else out. Counted in this process alone, by account name, whether or not there is such an account.
 */
#ifndef PURSER_USERS_BACKOFF_H
#define PURSER_USERS_BACKOFF_H

#include "runtime/fiber.h"

void backoff_start(void);
/* Waits as long as tries for `account` have to. 0; -EBUSY when too many wait already; -ECANCELED, -ETIMEDOUT. */
FIBER_FN int backoff_wait(const char *account);
void backoff_failed(const char *account);
void backoff_succeeded(const char *account);

#endif
