/* Arenas: alignment, growth, deferred calls, copies, and what happens when memory is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"

#include <stdbool.h>

static char order[64];
static char letter_a[] = "a", letter_b[] = "b", letter_c[] = "c", letter_more[] = "more";

static void note(void *arg)
{
    strncat(order, arg, sizeof order - strlen(order) - 1);
}

static void memory_is_zeroed_and_aligned(void **state)
{
    struct arena *arena = arena_new();
    for (size_t size = 0; size < 10000; size = size * 2 + 1) {
        char *at = arena_alloc(arena, size);
        assert_int_equal((uintptr_t)at % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(at[i], 0);
        memset(at, 0xff, size);
    }
    arena_free(arena);
}

static void blocks_used_again_are_zeroed(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct arena *arena = arena_new();
        char *at = arena_alloc(arena, 2000);
        for (int k = 0; k < 2000; k++)
            assert_int_equal(at[k], 0);
        memset(at, 0xff, 2000);
        arena_free(arena);
    }
}

static void deferred_calls_run_last_first(void **state)
{
    struct arena *arena = arena_new();
    order[0] = 0;
    arena_defer(arena, note, letter_a);
    arena_defer(arena, note, letter_b);
    arena_reset(arena);
    assert_string_equal(order, "ba");
    arena_defer(arena, note, letter_c);
    arena_free(arena);
    assert_string_equal(order, "bac");
    arena_free(NULL);
}

static struct arena *growing;

static void defers_more(void *arg)
{
    arena_alloc(growing, 100000);
    arena_defer(growing, note, letter_more);
}

static void a_deferred_call_may_defer(void **state)
{
    growing = arena_new();
    order[0] = 0;
    arena_defer(growing, defers_more, NULL);
    arena_free(growing);
    assert_string_equal(order, "more");
}

static void copies_end_with_a_nul(void **state)
{
    struct arena *arena = arena_new();
    assert_string_equal(arena_copy(arena, "abcdef", 3), "abc");
    assert_string_equal(arena_copy(arena, NULL, 0), "");
    assert_string_equal(arena_strdup(arena, "x"), "x");
    assert_null(arena_strdup(arena, NULL));
    char *text = arena_printf(arena, "%0500d", 7);
    assert_int_equal(strlen(text), 500);
    assert_string_equal(text + 498, "07");
    assert_string_equal(arena_printf(arena, "%s", ""), "");
    arena_free(arena);
}

static void short_memory_goes_to_the_rescue(void **state)
{
    struct arena *volatile arena = arena_new();
    jmp_buf rescue, *former = memory_rescue;
    volatile bool rescued = false;
    memory_rescue = &rescue;
    if (_setjmp(rescue) == 0) {
        memory_fail_from(1);
        arena_alloc(arena, 1 << 20);
    } else {
        rescued = true;
    }
    memory_fail_from(0);
    memory_rescue = former;
    assert_true(rescued);
    arena_free(arena);
}

static int deferred, called;

static void count_calls(void *arg)
{
    called++;
}

static void what_cannot_be_deferred_is_given_back_at_once(void **state)
{
    struct arena *volatile arena = arena_new();
    jmp_buf rescue, *former = memory_rescue;
    volatile bool rescued = false;
    memory_rescue = &rescue;
    if (_setjmp(rescue) == 0) {
        called = 0;
        memory_fail_from(1);
        for (deferred = 0; deferred < 1000;) {
            deferred++;
            arena_defer(arena, count_calls, NULL);
        }
    } else {
        rescued = true;
    }
    memory_fail_from(0);
    memory_rescue = former;
    assert_true(rescued);
    assert_int_equal(called, 1);
    arena_free(arena);
    assert_int_equal(called, deferred);
}

static void no_arena_without_memory(void **state)
{
    struct arena *kept[200];
    int count = 0;
    memory_fail_from(1);
    while (count < 200 && (kept[count] = arena_new()))
        count++;
    memory_fail_from(0);
    assert_true(count < 200);
    while (count)
        arena_free(kept[--count]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(blocks_used_again_are_zeroed),
        cmocka_unit_test(deferred_calls_run_last_first),
        cmocka_unit_test(a_deferred_call_may_defer),
        cmocka_unit_test(copies_end_with_a_nul),
        cmocka_unit_test(short_memory_goes_to_the_rescue),
        cmocka_unit_test(what_cannot_be_deferred_is_given_back_at_once),
        cmocka_unit_test(no_arena_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
