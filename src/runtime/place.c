/*
 * Stacks, and the switch from one to another: made once by makecontext, then _setjmp and _longjmp, which cost no system call. This file is
 * built without _FORTIFY_SOURCE, whose checked longjmp takes a switch for a bug.
 *
 * Always holds: a stack has a guard page below it; the sanitizers are told of every switch.
 */
#include "runtime/place.h"

#include "base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define STACK_SIZE (256 * 1024) /* frames are larger there */
#else
#define STACK_SIZE (64 * 1024)
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

static char *stack_map(void)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *mapping = mmap(NULL, guard + STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, guard, PROT_NONE)) {
        munmap(mapping, guard + STACK_SIZE);
        return NULL;
    }
#ifdef WITH_ASAN
    __lsan_register_root_region(mapping + guard, STACK_SIZE);
#endif
    return mapping;
}

static void stack_unmap(char *mapping)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
#ifdef WITH_ASAN
    __lsan_unregister_root_region(mapping + guard, STACK_SIZE);
#endif
    munmap(mapping, guard + STACK_SIZE);
}

int place_make_stack(struct place *place, void (*run)(unsigned high, unsigned low), void *arg, ucontext_t *ret_first)
{
    char *mapping = stack_map();
    if (!mapping)
        return -ENOMEM;
    char *stack = mapping + sysconf(_SC_PAGESIZE);
    getcontext(ret_first);
    ret_first->uc_stack.ss_sp = stack;
    ret_first->uc_stack.ss_size = STACK_SIZE;
    ret_first->uc_link = NULL;
    uintptr_t address = (uintptr_t)arg;
    makecontext(ret_first, (void (*)(void))run, 2, (unsigned)(address >> 32), (unsigned)address);
    place->mapping = mapping;
#ifdef WITH_ASAN
    place->stack = stack;
    place->stack_size = STACK_SIZE;
#endif
#ifdef WITH_TSAN
    place->tsan = __tsan_create_fiber(0);
#endif
    return 0;
}

void place_drop_stack(struct place *place)
{
#ifdef WITH_TSAN
    __tsan_destroy_fiber(place->tsan);
#endif
    stack_unmap(place->mapping);
    place->mapping = NULL;
}

void place_switch(struct place *from, struct place *to, const ucontext_t *first)
{
    from->rescue = memory_rescue;
#ifdef WITH_TSAN
    from->tsan = __tsan_get_current_fiber();
#endif
    if (_setjmp(from->context) == 0) {
#ifdef WITH_ASAN
        __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
#endif
#ifdef WITH_TSAN
        __tsan_switch_to_fiber(to->tsan, 0);
#endif
        if (first)
            setcontext(first);
        _longjmp(to->context, 1);
    }
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
    memory_rescue = from->rescue;
}

void place_arrived(struct place *from)
{
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &from->stack, &from->stack_size);
#else
    (void)from;
#endif
}
