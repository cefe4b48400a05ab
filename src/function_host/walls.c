/* Namespaces and an empty root for the host and so for all its workers. Each wall is tried by itself, and what could not
 * be put up is missing from the report, never an error: seccomp, which always stands, is in seal.c. */
#include "function_host/walls.h"
#include "function_host/protocol.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int proc_fd = -1;
static int own_pid_namespace_fd = -1;

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

/* Without rights of our own a user namespace comes first: it gives us the right to make the others. */
static bool enter_user_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER))
        return false;
    char map[64];
    snprintf(map, sizeof(map), "65534 %u 1\n", uid);
    bool mapped = write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "65534 %u 1\n", gid);
    write_file("/proc/self/setgroups", "deny");
    return write_file("/proc/self/gid_map", map) && mapped;
}

void walls_enter_namespaces(uint32_t *walls)
{
    static const struct {
        int flag;
        uint32_t wall;
    } namespaces[] = {
        { CLONE_NEWNS, FUNCTION_WALL_MOUNT_NAMESPACE },
        { CLONE_NEWNET, FUNCTION_WALL_NETWORK_NAMESPACE },
        { CLONE_NEWIPC, FUNCTION_WALL_IPC_NAMESPACE },
        { CLONE_NEWUTS, FUNCTION_WALL_UTS_NAMESPACE },
    };
    if (geteuid() != 0 && enter_user_namespace())
        *walls |= FUNCTION_WALL_USER_NAMESPACE;
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
        if (unshare(namespaces[i].flag) == 0)
            *walls |= namespaces[i].wall;
    proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    own_pid_namespace_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
}

/* In a mount namespace of our own: an empty file system becomes the root, the old one is let go. */
static bool swap_root(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return false;
    if (mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=2,mode=555"))
        return false;
    if (chdir("/tmp") || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        return false;
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

/* Without one: a folder that is deleted before it becomes the root, so that it is empty and stays so. */
static bool leave_root(void)
{
    char path[] = "/tmp/purser-function-host-XXXXXX";
    if (!mkdtemp(path))
        return false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rmdir(path);
    bool left = fd >= 0 && fchdir(fd) == 0 && chroot(".") == 0;
    if (fd >= 0)
        close(fd);
    return left;
}

void walls_close_root(uint32_t *walls)
{
    bool mounts = *walls & FUNCTION_WALL_MOUNT_NAMESPACE;
    if (mounts ? swap_root() : leave_root())
        *walls |= FUNCTION_WALL_EMPTY_ROOT;
}

int walls_proc(void)
{
    return proc_fd;
}

/* With rights in the system's own process-id namespace: children go to a new one, and the host comes back. */
static pid_t fork_and_return(bool *ret_apart)
{
    *ret_apart = unshare(CLONE_NEWPID) == 0;
    pid_t pid = fork();
    if (pid != 0 && *ret_apart)
        setns(own_pid_namespace_fd, CLONE_NEWPID);
    return pid;
}

pid_t walls_fork(uint32_t *walls)
{
    bool apart = true;
    pid_t pid;
    if (own_pid_namespace_fd >= 0 && setns(own_pid_namespace_fd, CLONE_NEWPID) == 0) {
        pid = fork_and_return(&apart);
    } else {
        /* Inside a user namespace there is no way back, so the child alone is put into a new one. This goes around
         * glibc, which then holds a stale thread id: nothing in a worker compares it with the kernel's. */
        pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid < 0) {
            apart = false;
            pid = fork();
        }
    }
    if (pid > 0 && apart)
        *walls |= FUNCTION_WALL_PID_NAMESPACE;
    return pid;
}
