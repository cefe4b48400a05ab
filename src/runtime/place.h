/* A place to come back to: a stack, and where it was left. Only src/runtime/fiber.c uses this. */
#ifndef PURSER_RUNTIME_PLACE_H
#define PURSER_RUNTIME_PLACE_H

#include <setjmp.h>
#include <stddef.h>
#include <ucontext.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#endif

struct place {
    jmp_buf context;
    jmp_buf *rescue; /* memory_rescue of that stack */
    char *mapping;   /* guard page, then the stack; NULL: none yet, or a thread's own stack, which is not ours */
#ifdef WITH_ASAN
    void *fake_stack;
    const void *stack;
    size_t stack_size;
#endif
#ifdef WITH_TSAN
    void *tsan;
#endif
};

/* Maps a stack; `ret_first` begins `run(high, low)` there, the halves of `arg`: there is nothing to jump to yet. 0 or -ENOMEM. */
int place_make_stack(struct place *place, void (*run)(unsigned high, unsigned low), void *arg, ucontext_t *ret_first);
/* Unmaps it. Nobody may be on it. */
void place_drop_stack(struct place *place);
/* Leaves `from` for `to`; returns when somebody comes back to `from`. `first`: where `to` begins if it has never run, else NULL. */
void place_switch(struct place *from, struct place *to, const ucontext_t *first);
/* The first thing on a new stack. `from`: who switched. */
void place_arrived(struct place *from);

#endif
