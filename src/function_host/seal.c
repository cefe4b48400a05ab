/* Sealing a worker: descriptors, user id, capabilities, limits, and last the filter of system calls.
 *
 * The filter is an allow-list, made once by libseccomp and installed by each worker as plain BPF (building it anew would
 * cost more than the fork). A call that is not on the list fails with EPERM, and those that only somebody who has broken
 * out of the engine would try kill the process. Memory can be mapped private and not executable: the engine's pool of
 * executable memory exists since before the fork. */
#include "function_host/seal.h"
#include "function_host/protocol.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Above the ranges that systems give to users and containers. */
#define FIRST_UID 1879048192u
#define NOBODY_UID 65534u
#define KEPT_FDS_MAX 4

static struct sock_fprog filter;
static int kept_fds[KEPT_FDS_MAX]; /* the engine's random device, ascending */
static size_t kept_count;

/* Calls that take no argument worth checking. */
static const int allowed[] = {
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(sched_yield),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(mincore),
};

/* Calls that no JavaScript leads to: whoever tries one has broken out of the engine. */
static const int deadly[] = {
    SCMP_SYS(execve),        SCMP_SYS(execveat),         SCMP_SYS(ptrace),         SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(bpf),          SCMP_SYS(mount),          SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),    SCMP_SYS(chroot),           SCMP_SYS(setns),          SCMP_SYS(unshare),
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),  SCMP_SYS(userfaultfd),    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),       SCMP_SYS(init_module),      SCMP_SYS(finit_module),   SCMP_SYS(kexec_load),
    SCMP_SYS(perf_event_open), SCMP_SYS(pidfd_getfd),    SCMP_SYS(open_by_handle_at),
};

static _Noreturn void die(const char *what, int error)
{
    fprintf(stderr, "purser-function-host: %s: %s\n", what, strerror(error));
    exit(1);
}

static void check(int result)
{
    if (result < 0)
        die("the filter of system calls", -result);
}

static void allow_memory(scmp_filter_ctx ctx)
{
    check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                           SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                           SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS)));
    check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)));
    check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 0));
}

/* Its own socket, and reading of the random device, the only other descriptor there is. */
static void allow_descriptors(scmp_filter_ctx ctx)
{
    check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg), 1, SCMP_A0(SCMP_CMP_EQ, SEAL_SOCKET_FD)));
    check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1, SCMP_A0(SCMP_CMP_EQ, SEAL_SOCKET_FD)));
    for (size_t i = 0; i < kept_count; i++)
        check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(read), 1,
                               SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)kept_fds[i])));
}

/* A thread of this process is fine (WebAssembly compiles on one), a process is not. clone3 hides its flags behind a
 * pointer, so it is said not to exist, and glibc falls back to clone. Signals may be sent only to oneself, by tgkill. */
static void allow_threads(scmp_filter_ctx ctx)
{
    const scmp_datum_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    const scmp_datum_t forbidden = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                   CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT;
    check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                           SCMP_A0(SCMP_CMP_MASKED_EQ, thread | forbidden, thread)));
    check(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
    check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)));
}

/* libseccomp writes programs to a descriptor only. */
static void export_filter(scmp_filter_ctx ctx)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        die("memfd_create", errno);
    check(seccomp_export_bpf(ctx, fd));
    off_t size = lseek(fd, 0, SEEK_END);
    filter.filter = malloc((size_t)size);
    if (!filter.filter || pread(fd, filter.filter, (size_t)size, 0) != size)
        die("the filter of system calls", errno);
    filter.len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
    close(fd);
}

static void make_filter(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        die("seccomp_init", ENOMEM);
    check(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    check(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0));
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        check(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0));
    allow_memory(ctx);
    allow_descriptors(ctx);
    allow_threads(ctx);
    export_filter(ctx);
    seccomp_release(ctx);
}

/* The engine reads /dev/urandom through descriptors that it opened at its start. */
static void find_random_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char target[64];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
        if (length <= 0 || kept_count == KEPT_FDS_MAX)
            continue;
        target[length] = 0;
        if (!strcmp(target, "/dev/urandom") || !strcmp(target, "/dev/random"))
            kept_fds[kept_count++] = (int)strtol(entry->d_name, NULL, 10);
    }
    closedir(folder);
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* What exec could give back; nothing is ever executed again, here or in a worker. */
static void drop_bounding_set(void)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void seal_init(uint32_t *walls)
{
    drop_bounding_set();
    find_random_descriptors();
    qsort(kept_fds, kept_count, sizeof(kept_fds[0]), compare_fds);
    make_filter();
    *walls |= FUNCTION_WALL_SECCOMP;
    if (geteuid() == 0)
        *walls |= FUNCTION_WALL_UID;
}

/* Leaves open the socket, at its place, and the random device. */
static int close_descriptors(int socket_fd)
{
    if (socket_fd != SEAL_SOCKET_FD && dup2(socket_fd, SEAL_SOCKET_FD) < 0)
        return -1;
    unsigned from = 0;
    for (size_t i = 0; i <= kept_count + 1; i++) {
        /* The kept ones and the socket's place, merged in ascending order, then the end. */
        unsigned next = ~0u;
        for (size_t k = 0; k < kept_count; k++)
            if ((unsigned)kept_fds[k] >= from && (unsigned)kept_fds[k] < next)
                next = (unsigned)kept_fds[k];
        if (SEAL_SOCKET_FD >= from && SEAL_SOCKET_FD < next)
            next = SEAL_SOCKET_FD;
        if (next > from && close_range(from, next == ~0u ? next : next - 1, 0))
            return -1;
        if (next == ~0u)
            break;
        from = next + 1;
    }
    return 0;
}

static int set_limits(void)
{
    static const struct {
        int resource;
        rlim_t limit;
    } limits[] = {
        { RLIMIT_CORE, 0 },    { RLIMIT_FSIZE, 0 },      { RLIMIT_NOFILE, SEAL_SOCKET_FD + 1 },
        { RLIMIT_MEMLOCK, 0 }, { RLIMIT_MSGQUEUE, 0 },   { RLIMIT_SIGPENDING, 16 },
    };
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit limit = { limits[i].limit, limits[i].limit };
        if (setrlimit(limits[i].resource, &limit))
            return -1;
    }
    return 0;
}

/* As root: a user id that nobody has, one for each slot, so that workers are strangers to each other too. */
static int drop_user(uint32_t slot)
{
    if (geteuid() != 0)
        return 0;
    uid_t id = FIRST_UID + slot;
    if (setgroups(0, NULL))
        return -1;
    if (setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0)
        return 0;
    return setresgid(NOBODY_UID, NOBODY_UID, NOBODY_UID) || setresuid(NOBODY_UID, NOBODY_UID, NOBODY_UID) ? -1 : 0;
}

static int clear_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };
    return (int)syscall(SYS_capset, &header, none);
}

int seal_worker(int socket_fd, uint32_t slot)
{
    if (close_descriptors(socket_fd) || set_limits())
        return -1;
    if (drop_user(slot) || clear_capabilities())
        return -1;
    /* After the change of user, which clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
