/* Who goes first: a process whose calls are long stands back behind all others, and comes forward again when one has been short. */
#include "shared_host.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#define PATIENCE_MS 60000

static const char counts[] = "function handler(n) { let sum = 0; for (let i = 0; i < n; i++) sum = (sum + i) % 7; return sum; }";
static const char lasts_long[] = "20000000", is_short[] = "1";

/* The host's only child. */
static pid_t only_process(void)
{
    char path[64];
    int pid = 0, another;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)host.pid, (int)host.pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d %d", &pid, &another), 1);
    fclose(file);
    return pid;
}

static enum function_demotion demotion_of(const struct host_worker *worker)
{
    return atomic_load(&host.slots->slot[worker->slot].demoted);
}

static void call(struct host_worker *worker, const char *event)
{
    struct host_answer answer;
    host_call(worker, &host_default_limits, event, "{}", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    host_answer_fini(&answer);
}

/* A call that gets next to nothing is raised for moments, so the policy is waited for. */
static void wait_for_policy(int policy)
{
    uint64_t limit_us = host_now_us() + PATIENCE_MS * 1000;
    for (pid_t pid = only_process(); sched_getscheduler(pid) != policy; poll(NULL, 0, 10))
        if (host_now_us() > limit_us)
            fail_msg("its policy stays %d", sched_getscheduler(pid));
}

/* The host looks every few milliseconds, when it gets to it. */
static void call_until(struct host_worker *worker, const char *event, bool sunk)
{
    uint64_t limit_us = host_now_us() + PATIENCE_MS * 1000;
    while ((demotion_of(worker) != FUNCTION_DEMOTION_NONE) != sunk) {
        if (host_now_us() > limit_us)
            fail_msg("calls of %s rounds leave it %s", event, sunk ? "where it was" : "at the lowest priority");
        call(worker, event);
        poll(NULL, 0, 10);
    }
    wait_for_policy(sunk ? SCHED_IDLE : SCHED_OTHER);
}

static void load(struct host_worker *worker, uint32_t demoted)
{
    struct host_limits limits = host_default_limits;
    struct host_answer answer;
    limits.demoted = demoted;
    host_load(&host, worker, 1, &limits, counts, &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
    host_answer_fini(&answer);
}

static void test_long_calls_sink_and_a_short_one_rises(void **state)
{
    struct host_worker worker;
    load(&worker, 0);
    call_until(&worker, lasts_long, true);
    if (demotion_of(&worker) == FUNCTION_DEMOTION_FOR_NOW) {
        call(&worker, lasts_long);
        assert_int_equal(demotion_of(&worker), FUNCTION_DEMOTION_FOR_NOW);
        call_until(&worker, is_short, false);
        call_until(&worker, lasts_long, true);
    }
    host_release(&worker);
}

/* As one does whose function had to be killed a moment ago: being loaded does not raise it. */
static void test_begins_at_the_lowest(void **state)
{
    struct host_worker worker;
    load(&worker, 1);
    assert_int_not_equal(demotion_of(&worker), FUNCTION_DEMOTION_NONE);
    wait_for_policy(SCHED_IDLE);
    if (demotion_of(&worker) == FUNCTION_DEMOTION_FOR_NOW)
        call_until(&worker, is_short, false);
    host_release(&worker);
}

int main(int argc, char **argv)
{
    shared_host_arguments(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_calls_sink_and_a_short_one_rises),
        cmocka_unit_test(test_begins_at_the_lowest),
    };
    return cmocka_run_group_tests_name("attacks/priority", tests, shared_host_start, shared_host_stop);
}
