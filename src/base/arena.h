/*
 * An arena: memory that goes all at once, with the request or message it was taken for, and the things to give back then.
 *
 * Allocations never return NULL. When memory is short, control goes to the innermost `memory_rescue` of this thread
 * (a fiber's start, a transaction body's start), which ends that one piece of work and runs its deferred calls; without
 * one the process ends with a fatal line.
 */
#ifndef PURSER_BASE_ARENA_H
#define PURSER_BASE_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

struct arena;

/* Where to go when memory is short: `_longjmp(*memory_rescue, 1)`. Whoever sets it restores the former value. The fiber
 * scheduler keeps one for each fiber. */
extern _Thread_local jmp_buf *memory_rescue;

/* Ends the current piece of work (see above). Does not return. */
_Noreturn void memory_short(void);

/* Returns NULL when memory is short (an arena is made where no rescue is set yet). */
struct arena *arena_new(void);
/* Runs the deferred calls, last first, and frees everything. NULL is fine. */
void arena_free(struct arena *arena);
/* As arena_free and arena_new in one, keeping the first block: for loops. */
void arena_reset(struct arena *arena);

/* `size` bytes, zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of `size` bytes with a NUL behind it. */
char *arena_copy(struct arena *arena, const void *at, size_t size);
/* A copy of a string; NULL gives NULL. */
char *arena_strdup(struct arena *arena, const char *string);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Calls `run(arg)` when the arena goes. */
void arena_defer(struct arena *arena, void (*run)(void *arg), void *arg);

#endif
