/* Memory groups: where they can be had, the kernel kills what takes too much, and nothing of them is left behind; where not, the watch does it
 * alone, and what differs is what the host says of its walls. */
#include "host_client.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *executable;
/* Little enough to be taken in a moment: a long call is not much served on a busy machine. */
static const struct host_limits limits = { .memory_kb = 32 * 1024, .timeout_ms = 60000, .result_bytes_max = 1000, .log_bytes_max = 1000 };
static const char glutton[] = "function handler(e) { const a = []; while (e) a.push(new Uint8Array(1e8).fill(1)); return 'modest'; }";

/* A folder for the test within a memory hierarchy, in `path`. The test is skipped where this system has none that we may write. */
static void make_folder(char *path, size_t size)
{
    static const char *const roots[] = { "/sys/fs/cgroup/memory", "/sys/fs/cgroup" };
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        char file[128];
        snprintf(path, size, "%s/purser-test-%d", roots[i], (int)getpid());
        if (mkdir(path, 0755))
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, i ? "memory.max" : "memory.limit_in_bytes");
        if (access(file, W_OK) == 0)
            return;
        rmdir(path);
    }
    print_message("skipped: no memory cgroup may be made here\n");
    skip();
}

/* It can be removed once the host's groups within are gone. */
static void remove_folder(const char *path)
{
    int error = -1;
    for (int i = 0; i < 6000 && (error = rmdir(path)); i++)
        poll(NULL, 0, 10);
    if (error)
        fail_msg("%s is in use: %s", path, strerror(errno));
}

static void check_the_watch(struct host *host)
{
    struct host_answer answer;
    host_try(host, &limits, glutton, "true", &answer);
    assert_int_equal(answer.type, 0);
    assert_int_equal(answer.exit, FUNCTION_EXIT_MEMORY);
    host_answer_fini(&answer);
    host_try(host, &limits, glutton, "false", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    host_answer_fini(&answer);
}

static void test_without_groups(void **state)
{
    static const char *const folders[] = { "off", "/nowhere", "/tmp" };
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct host host;
        host_start_with(&host, executable, folders[i]);
        assert_false(host.walls & FUNCTION_WALL_CGROUP);
        check_the_watch(&host);
        host_stop(&host);
    }
}

static void test_where_it_is_found(void **state)
{
    struct host host;
    host_start_with(&host, executable, "");
    print_message("memory groups: %s\n", host.walls & FUNCTION_WALL_CGROUP ? "found" : "none here, the watch alone");
    check_the_watch(&host);
    host_stop(&host);
}

static bool is_dead_child(const char *pid, pid_t parent)
{
    char path[300], text[512], state;
    int above;
    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = 0;
    char *at = strrchr(text, ')');
    return at && sscanf(at + 1, " %c %d", &state, &above) == 2 && state == 'Z' && above == parent;
}

static bool has_dead_child(pid_t parent)
{
    bool found = false;
    DIR *list = opendir("/proc");
    for (struct dirent *entry; list && !found && (entry = readdir(list));)
        found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_dead_child(entry->d_name, parent);
    if (list)
        closedir(list);
    return found;
}

/* Lets a stopped host go on when one of its workers has died. */
static pid_t continue_after_a_death(pid_t host)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    bool dead = false;
    for (int i = 0; i < 5000 && !dead; i++) {
        dead = has_dead_child(host);
        poll(NULL, 0, 10);
    }
    kill(host, SIGCONT);
    _exit(dead ? 0 : 1);
}

static void wait_until_grouped(struct host_worker *worker)
{
    for (int i = 0; i < 6000 && !atomic_load(&worker->host->slots->slot[worker->slot].grouped); i++)
        poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&worker->host->slots->slot[worker->slot].grouped), 1);
}

/* With the host stopped nobody watches: only the kernel can have killed. Skipped where a group can be made and no process may be
 * moved into it, as in some containers: then there is nothing that could kill. */
static void test_the_kernel_kills(void **state)
{
    char folder[64];
    make_folder(folder, sizeof(folder));
    struct host host;
    struct host_worker worker;
    struct host_answer answer;
    host_start_with(&host, executable, folder);
    if (!(host.walls & FUNCTION_WALL_CGROUP)) {
        host_stop(&host);
        remove_folder(folder);
        print_message("skipped: no process may be moved into a memory cgroup here\n");
        skip();
    }
    for (int round = 0; round < 2; round++) {
        int status;
        host_load(&host, &worker, 3, &limits, glutton, &answer);
        assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
        host_answer_fini(&answer);
        wait_until_grouped(&worker);
        kill(host.pid, SIGSTOP);
        pid_t helper = continue_after_a_death(host.pid);
        host_call(&worker, &limits, "true", "{}", &answer);
        assert_int_equal(waitpid(helper, &status, 0), helper);
        assert_int_equal(status, 0);
        assert_int_equal(answer.type, 0);
        assert_int_equal(answer.exit, FUNCTION_EXIT_MEMORY);
        host_answer_fini(&answer);
        host_release(&worker);
    }
    check_the_watch(&host);
    host_stop(&host);
    remove_folder(folder);
}

/* A host that is killed leaves no group behind. */
static void test_a_host_is_killed(void **state)
{
    char folder[64];
    make_folder(folder, sizeof(folder));
    struct host host;
    struct host_worker worker;
    struct host_answer answer;
    host_start_with(&host, executable, folder);
    host_load(&host, &worker, 3, &limits, glutton, &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
    host_answer_fini(&answer);
    if (host.walls & FUNCTION_WALL_CGROUP)
        wait_until_grouped(&worker);
    kill(host.pid, SIGKILL);
    host_stop(&host);
    close(worker.fd);
    remove_folder(folder);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    executable = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_groups),
        cmocka_unit_test(test_where_it_is_found),
        cmocka_unit_test(test_the_kernel_kills),
        cmocka_unit_test(test_a_host_is_killed),
    };
    return cmocka_run_group_tests_name("attacks/groups", tests, NULL, NULL);
}
