/* Memory groups of cgroup v2, which few machines let a test write: in a plain folder that is filled as the kernel fills a group's, each file
 * that is written is read again. What the kernel does with them is in tests/attacks/test_groups.c. */
#include "function_host/groups.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000

static const char *const files_of_a_group[] = {
    "cgroup.procs", "cgroup.subtree_control", "memory.events", "memory.max", "memory.swap.max",
};
static const char *missing; /* a file that groups do not have here */
static char above[PATH_MAX];

int __real_mkdirat(int folder, const char *name, mode_t mode);
int __wrap_mkdirat(int folder, const char *name, mode_t mode);
int __real_unlinkat(int folder, const char *name, int flags);
int __wrap_unlinkat(int folder, const char *name, int flags);

static void fill(int folder)
{
    for (size_t i = 0; i < sizeof(files_of_a_group) / sizeof(files_of_a_group[0]); i++)
        if (!missing || strcmp(files_of_a_group[i], missing) != 0)
            close(openat(folder, files_of_a_group[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

int __wrap_mkdirat(int folder, const char *name, mode_t mode)
{
    int error = __real_mkdirat(folder, name, mode);
    int made = error ? -1 : openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made >= 0) {
        fill(made);
        close(made);
    }
    return error;
}

/* A group goes with its files, but not with groups in it. */
int __wrap_unlinkat(int folder, const char *name, int flags)
{
    int going = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; going >= 0 && i < sizeof(files_of_a_group) / sizeof(files_of_a_group[0]); i++)
        __real_unlinkat(going, files_of_a_group[i], 0);
    int error = __real_unlinkat(folder, name, flags);
    if (going >= 0 && error)
        fill(going);
    if (going >= 0)
        close(going);
    return error;
}

static void path_of(const char *group, const char *file, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/purser-functions-%d%s%s", above, (int)getpid(), group, file);
}

static void assert_file(const char *group, const char *file, const char *content)
{
    char path[PATH_MAX + 200], text[200];
    path_of(group, file, path, sizeof(path));
    FILE *stream = fopen(path, "re");
    if (!stream)
        fail_msg("%s is not there", path);
    text[fread(text, 1, sizeof(text) - 1, stream)] = 0;
    fclose(stream);
    assert_string_equal(text, content);
}

static void write_file(const char *group, const char *file, const char *content)
{
    char path[PATH_MAX + 200];
    path_of(group, file, path, sizeof(path));
    FILE *stream = fopen(path, "we");
    assert_non_null(stream);
    fputs(content, stream);
    fclose(stream);
}

static void wait_until_gone(void)
{
    char path[PATH_MAX + 200];
    path_of("", "", path, sizeof(path));
    for (int ms = 0; access(path, F_OK) == 0; ms += 10) {
        if (ms > PATIENCE_MS)
            fail_msg("%s stays", path);
        poll(NULL, 0, 10);
    }
}

/* A folder as the system's administrator makes one ready, for one test. */
static int make_above(void **state)
{
    char path[PATH_MAX + 64];
    snprintf(above, sizeof(above), "%s/purser-groups-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(above))
        return -1;
    snprintf(path, sizeof(path), "%s/cgroup.controllers", above);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    snprintf(path, sizeof(path), "%s/cgroup.subtree_control", above);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    missing = NULL;
    return 0;
}

static int remove_above(void **state)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/cgroup.controllers", above);
    unlink(path);
    snprintf(path, sizeof(path), "%s/cgroup.subtree_control", above);
    unlink(path);
    return rmdir(above);
}

/* Without the files of a limit or the right to delegate there are no groups, and nothing stays of what was begun. */
static void test_what_is_missing(void **state)
{
    static const char *const needed[] = { "cgroup.subtree_control", "memory.max", "cgroup.procs" };
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        missing = needed[i];
        groups_start(above);
        assert_false(groups_stand());
        assert_int_equal(groups_fd(), -1);
        assert_false(groups_move(1, getpid(), 1024));
        wait_until_gone();
    }
    char path[PATH_MAX + 64];
    missing = NULL;
    snprintf(path, sizeof(path), "%s/cgroup.subtree_control", above);
    unlink(path);
    groups_start(above);
    assert_false(groups_stand());
    wait_until_gone();
}

/* A process id that nobody has any more. */
static pid_t dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

static void wait_for_move(uint32_t slot, bool inside)
{
    struct pollfd moved = { .fd = groups_fd(), .events = POLLIN };
    uint32_t told_slot = UINT32_MAX;
    bool told_inside = !inside, gone = true;
    assert_int_equal(poll(&moved, 1, PATIENCE_MS), 1);
    assert_true(groups_moved(&told_slot, &told_inside, &gone));
    assert_false(gone);
    assert_int_equal(told_slot, slot);
    assert_int_equal(told_inside, inside);
    assert_false(groups_moved(&told_slot, &told_inside, &gone));
    assert_false(gone);
}

static void test_each_file(void **state)
{
    char stale[PATH_MAX + 64];
    snprintf(stale, sizeof(stale), "%s/purser-functions-%d", above, (int)dead_pid());
    assert_int_equal(mkdirat(AT_FDCWD, stale, 0755), 0);

    groups_start(above);
    struct pollfd rehearsed = { .fd = groups_fd(), .events = POLLIN };
    assert_int_equal(poll(&rehearsed, 1, PATIENCE_MS), 1); /* groups_stand has less patience */
    assert_true(groups_stand());
    assert_int_equal(access(stale, F_OK), -1);
    assert_file("/..", "/cgroup.subtree_control", "+memory");
    assert_file("", "/cgroup.subtree_control", "+memory");
    assert_file("", "/memory.max", "");
    assert_file("/slot-4294967295", "/memory.max", "67108864"); /* the rehearsal's */

    assert_true(groups_move(3, 4242, 2048));
    wait_for_move(3, true);
    assert_file("/slot-3", "/memory.max", "2097152");
    assert_file("/slot-3", "/memory.swap.max", "0");
    assert_file("/slot-3", "/cgroup.procs", "4242");
    assert_file("/slot-3", "/cgroup.subtree_control", "");

    /* The next process of the slot, with another limit. */
    assert_true(groups_move(3, 4243, 1024));
    wait_for_move(3, true);
    assert_file("/slot-3", "/memory.max", "1048576");
    assert_file("/slot-3", "/cgroup.procs", "4243");
    assert_file("", "/cgroup.procs", ""); /* whoever has limited children has no processes */

    assert_false(groups_was_killed(3));
    write_file("/slot-3", "/memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n");
    assert_true(groups_was_killed(3));
    assert_false(groups_was_killed(3));
    write_file("/slot-3", "/memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n");
    assert_true(groups_was_killed(3));
    assert_false(groups_was_killed(4));

    /* The mover goes with its socket, and takes the groups along. */
    close(groups_fd());
    wait_until_gone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_missing, make_above, remove_above),
        cmocka_unit_test_setup_teardown(test_each_file, make_above, remove_above),
    };
    return cmocka_run_group_tests_name("function_host/groups", tests, NULL, NULL);
}
