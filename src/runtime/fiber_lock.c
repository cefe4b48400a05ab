/*
 * A mutex between fibers of one worker: first come, first served. The list of who waits hangs in `waiting`, oldest first, and lies on the
 * waiters' stacks.
 */
#include "runtime/fiber.h"
#include "runtime/scheduler.h"

struct lock_waiter {
    struct fiber *fiber;
    struct lock_waiter *next;
    bool has_it;
};

int fiber_lock(struct fiber_lock *lock)
{
    struct fiber *fiber = fiber_self();
    if (!fiber || lock->owner == fiber)
        fiber_misuse("locks what it has locked", lock->owner);
    if (!lock->owner) {
        lock->owner = fiber;
        return 0;
    }
    struct lock_waiter waiter = {.fiber = fiber}, **at = (struct lock_waiter **)&lock->waiting;
    while (*at)
        at = &(*at)->next;
    *at = &waiter;
    int code = 0;
    while (!waiter.has_it && !(code = fiber_wait()))
        ;
    if (waiter.has_it)
        return 0;
    for (at = (struct lock_waiter **)&lock->waiting; *at != &waiter;)
        at = &(*at)->next;
    *at = waiter.next;
    return code;
}

void fiber_unlock(struct fiber_lock *lock)
{
    if (!lock->owner || lock->owner != fiber_self())
        fiber_misuse("unlocks what another has locked", lock->owner);
    struct lock_waiter *first = lock->waiting;
    lock->owner = first ? first->fiber : NULL;
    if (!first)
        return;
    lock->waiting = first->next;
    first->has_it = true;
    fiber_wake(first->fiber);
}
