/*
 * The pairing heap: adding is one comparison, removing merges the removed one's children by pairs. Most timers are deadlines that never
 * come, so what counts is that adding and removing are cheap. No recursion: heaps may be wide.
 */
#include "runtime/timers.h"

#include <assert.h>

/* Two roots become one: the later is made first child of the earlier. NULL is an empty heap. */
static struct timer *merge(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->due_mono_ms < a->due_mono_ms) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->previous = a;
    b->next = a->child;
    if (a->child)
        a->child->previous = b;
    a->child = b;
    a->next = a->previous = NULL;
    return a;
}

/* A list of siblings to one heap: pairs from left to right, then all of them from right to left. */
static struct timer *merge_siblings(struct timer *first)
{
    struct timer *pairs = NULL;
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->previous = NULL;
        if (b)
            b->next = b->previous = NULL;
        struct timer *pair = merge(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct timer *root = NULL;
    while (pairs) {
        struct timer *next = pairs->next;
        pairs->next = NULL;
        root = merge(root, pairs);
        pairs = next;
    }
    return root;
}

void timers_add(struct timers *timers, struct timer *timer)
{
    assert(!timer->place);
    timer->child = timer->next = timer->previous = NULL;
    timer->place = 1;
    timers->root = merge(timers->root, timer);
}

void timers_remove(struct timers *timers, struct timer *timer)
{
    if (!timer->place)
        return;
    struct timer *orphans = merge_siblings(timer->child);
    if (timer == timers->root) {
        timers->root = orphans;
    } else {
        if (timer->previous->child == timer)
            timer->previous->child = timer->next;
        else
            timer->previous->next = timer->next;
        if (timer->next)
            timer->next->previous = timer->previous;
        timers->root = merge(timers->root, orphans);
    }
    timer->child = timer->next = timer->previous = NULL;
    timer->place = 0;
}
