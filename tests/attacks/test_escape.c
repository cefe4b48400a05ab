/* Every way out of a sealed worker that we could think of, tried from inside one. Each try has a worker of its own: it must end
 * with an error, or with the worker killed for it, and the host must be as well as before. */
#include "shared_host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static size_t count_attacks(void)
{
    struct host_answer answer;
    host_try(&host, &host_default_limits, "function handler() { return __attacks.length; }", "null", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    size_t count = strtoul(answer.result, NULL, 10);
    host_answer_fini(&answer);
    return count;
}

/* What stopped it: "errno N", "killed", or NULL if nothing did. The name goes to ret_name. */
static bool stopped(size_t index, char *ret_name, size_t name_size)
{
    char event[32];
    snprintf(event, sizeof(event), "%zu", index);
    struct host_answer answer;
    host_try(&host, &host_default_limits,
             "function handler(i) { console.log(__attacks[i]); return __attack(i); }", event, &answer);
    snprintf(ret_name, name_size, "%s", answer.logs ? answer.logs : "?");
    bool held = answer.type == FUNCTION_PACKET_RESULT ? strcmp(answer.result, "0") != 0
                                                     : answer.type == 0 && answer.exit == FUNCTION_EXIT_FORBIDDEN;
    if (!held)
        print_error("got through: type %d exit %d/%u result %s\n", answer.type, answer.exit, answer.exit_detail,
                    answer.result ? answer.result : "");
    host_answer_fini(&answer);
    return held;
}

static void test_every_attack_fails(void **state)
{
    size_t count = count_attacks(), failed = 0;
    assert_true(count > 60);
    for (size_t i = 0; i < count; i++) {
        char name[128];
        if (stopped(i, name, sizeof(name)))
            failed++;
        else
            print_error("attack: %s", name);
    }
    print_message("%zu of %zu attacks failed\n", failed, count);
    assert_int_equal(failed, count);
}

static void test_host_is_unharmed(void **state)
{
    assert_int_equal(waitpid(host.pid, NULL, WNOHANG), 0);
    struct host_answer answer;
    host_try(&host, &host_default_limits, "function handler(e) { return e.a + 1; }", "{\"a\":1}", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_string_equal(answer.result, "2");
    host_answer_fini(&answer);
}

static void test_walls_are_reported(void **state)
{
    assert_true(host.walls & FUNCTION_WALL_SECCOMP);
    assert_true(host.walls & (FUNCTION_WALL_UID | FUNCTION_WALL_USER_NAMESPACE));
}

/* A worker without its host must not go on. */
static void test_workers_die_with_the_host(void **state)
{
    struct host_worker worker;
    struct host_answer answer;
    host_load(&host, &worker, 0, &host_default_limits, "function handler() { for (;;); }", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
    host_answer_fini(&answer);
    kill(host.pid, SIGKILL);
    host_call(&worker, &host_default_limits, "null", "{}", &answer);
    assert_int_equal(answer.type, 0);
    host_answer_fini(&answer);
}

int main(int argc, char **argv)
{
    shared_host_arguments(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walls_are_reported),
        cmocka_unit_test(test_every_attack_fails),
        cmocka_unit_test(test_host_is_unharmed),
        cmocka_unit_test(test_workers_die_with_the_host),
    };
    return cmocka_run_group_tests_name("attacks/escape", tests, shared_host_start, shared_host_stop);
}
