/* Who goes first: a function whose calls are long stands back behind all others, and comes forward again when its calls are short. */
#include "shared_host.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define PATIENCE_MS 60000

static const char counts[] = "function handler(n) { let sum = 0; for (let i = 0; i < n; i++) sum = (sum + i) % 7; return sum; }";
static const char lasts_long[] = "20000000", is_short[] = "1";

/* The host's youngest child. */
static pid_t youngest_process(void)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)host.pid, (int)host.pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fscanf(file, "%d", &pid) == 1)
        ;
    fclose(file);
    assert_int_not_equal(pid, 0);
    return pid;
}

struct process {
    struct host_worker worker;
    pid_t pid;
};

static void load(struct process *process, uint32_t slot, const char *function)
{
    struct host_limits limits = host_default_limits;
    struct host_answer answer;
    limits.function = function;
    host_load(&host, &process->worker, slot, &limits, counts, &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
    host_answer_fini(&answer);
    process->pid = youngest_process();
}

static void call(struct process *process, const char *event)
{
    struct host_answer answer;
    host_call(&process->worker, &host_default_limits, event, "{}", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    host_answer_fini(&answer);
}

static bool is_sunk(const struct process *process)
{
    return sched_getscheduler(process->pid) == SCHED_IDLE;
}

static bool may_rise(const struct process *process)
{
    return atomic_load(&host.slots->slot[process->worker.slot].demoted) != FUNCTION_DEMOTION_FOREVER;
}

/* Somebody who calls a process again and again. On a busy machine one that stands back comes forward for moments, in which its calls end, so it
 * is looked at while they run. */
struct caller {
    struct process *process;
    const char *event;
    atomic_bool enough;
    pthread_t thread;
};

static void *call_on(void *arg)
{
    struct caller *caller = arg;
    while (!atomic_load(&caller->enough))
        call(caller->process, caller->event);
    return NULL;
}

static void begin_calls(struct caller *caller, struct process *process, const char *event)
{
    caller->process = process;
    caller->event = event;
    atomic_store(&caller->enough, false);
    assert_int_equal(pthread_create(&caller->thread, NULL, call_on, caller), 0);
}

static void end_calls(struct caller *caller)
{
    atomic_store(&caller->enough, true);
    pthread_join(caller->thread, NULL);
}

static uint64_t patience(void)
{
    return host_now_us() + PATIENCE_MS * 1000;
}

static void wait_until(const struct process *process, bool sunk)
{
    for (uint64_t limit_us = patience(); is_sunk(process) != sunk; poll(NULL, 0, 5))
        if (host_now_us() > limit_us)
            fail_msg("it does not %s", sunk ? "stand back" : "come forward");
}

static void test_long_calls_stand_back_and_short_ones_come_forward(void **state)
{
    struct process process;
    struct caller caller;
    load(&process, 1, NULL);
    begin_calls(&caller, &process, lasts_long);
    wait_until(&process, true);
    end_calls(&caller);
    if (may_rise(&process)) {
        begin_calls(&caller, &process, is_short);
        wait_until(&process, false);
        end_calls(&caller);
    }
    host_release(&process.worker);
}

static void test_all_of_a_function_stand_back_and_nobody_else(void **state)
{
    struct process one, other, stranger;
    struct caller caller;
    load(&one, 1, "shared");
    load(&other, 2, "shared");
    load(&stranger, 3, "stranger");
    begin_calls(&caller, &one, lasts_long);
    wait_until(&one, true);
    if (may_rise(&one)) /* else one that is at no call is left where it is */
        wait_until(&other, true);
    call(&stranger, is_short);
    assert_false(is_sunk(&stranger));
    end_calls(&caller);
    host_release(&one.worker);
    host_release(&other.worker);
    host_release(&stranger.worker);
}

static void test_a_process_that_is_forked_then_begins_at_the_lowest(void **state)
{
    struct process one, other;
    struct caller caller;
    bool sunk = false;
    load(&one, 1, "again");
    begin_calls(&caller, &one, lasts_long);
    for (uint64_t limit_us = patience(); !sunk;) {
        assert_true(host_now_us() < limit_us);
        wait_until(&one, true);
        load(&other, 2, "again");
        sunk = is_sunk(&other);
        host_release(&other.worker);
    }
    end_calls(&caller);
    host_release(&one.worker);
}

int main(int argc, char **argv)
{
    shared_host_arguments(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_calls_stand_back_and_short_ones_come_forward),
        cmocka_unit_test(test_all_of_a_function_stand_back_and_nobody_else),
        cmocka_unit_test(test_a_process_that_is_forked_then_begins_at_the_lowest),
    };
    return cmocka_run_group_tests_name("attacks/priority", tests, shared_host_start, shared_host_stop);
}
