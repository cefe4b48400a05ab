/* The attacks, one function each: 0 if it got through, else the errno that stopped it; those for which the kernel kills do not
 * return at all. They use raw system calls, so that nothing in libc stops them before the kernel does. */
#include "function_host/attacks.h"
#include "function_host/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct attack {
    const char *name;
    int (*run)(void);
};

/* The outcome of a system call as an attack's. */
#define TRY(...) (syscall(__VA_ARGS__) >= 0 ? 0 : errno)
#define ATTACK(name, ...)                                                                                              \
    static int name(void)                                                                                              \
    {                                                                                                                  \
        return TRY(__VA_ARGS__);                                                                                       \
    }

static char scratch[4096];

/* Files. */
ATTACK(open_file, SYS_open, "/etc/passwd", O_RDONLY)
ATTACK(openat_file, SYS_openat, AT_FDCWD, "/etc/shadow", O_RDONLY)
ATTACK(openat2_file, SYS_openat2, AT_FDCWD, "/etc/passwd", scratch, 24)
ATTACK(create_file, SYS_openat, AT_FDCWD, "/dropped", O_CREAT | O_WRONLY, 0666)
ATTACK(read_proc, SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY)
ATTACK(read_parent_memory, SYS_openat, AT_FDCWD, "/proc/1/mem", O_RDWR)
ATTACK(stat_file, SYS_stat, "/etc/passwd", scratch)
ATTACK(list_root, SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY)
ATTACK(change_root, SYS_chroot, "/")
ATTACK(change_folder, SYS_chdir, "/")
ATTACK(make_node, SYS_mknod, "/device", 0020666, 0x101)
ATTACK(mount_proc, SYS_mount, "proc", "/", "proc", 0, NULL)
ATTACK(open_by_handle, SYS_open_by_handle_at, AT_FDCWD, scratch, O_RDONLY)
ATTACK(watch_files, SYS_inotify_init1, 0)

/* Network. */
ATTACK(socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
ATTACK(socket_inet6, SYS_socket, AF_INET6, SOCK_DGRAM, 0)
ATTACK(socket_unix, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
ATTACK(socket_netlink, SYS_socket, AF_NETLINK, SOCK_RAW, 0)
ATTACK(socket_packet, SYS_socket, AF_PACKET, SOCK_RAW, 0)
ATTACK(socket_pair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, scratch)

/* Processes. */
ATTACK(fork_process, SYS_fork)
ATTACK(vfork_process, SYS_vfork)
ATTACK(clone_process, SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
ATTACK(clone_namespace, SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL)
ATTACK(clone3_process, SYS_clone3, scratch, 88)
ATTACK(exec_shell, SYS_execve, "/bin/sh", NULL, NULL)
ATTACK(exec_at, SYS_execveat, AT_FDCWD, "/bin/sh", NULL, NULL, 0)
ATTACK(trace_me, SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL)
ATTACK(trace_parent, SYS_ptrace, PTRACE_ATTACH, getppid(), NULL, NULL)
ATTACK(kill_parent, SYS_kill, getppid(), SIGKILL)
ATTACK(kill_everybody, SYS_kill, -1, SIGKILL)
ATTACK(kill_thread, SYS_tgkill, getppid(), getppid(), SIGKILL)
ATTACK(queue_signal, SYS_rt_sigqueueinfo, 1, SIGUSR1, scratch)
ATTACK(open_process, SYS_pidfd_open, 1, 0)
ATTACK(take_descriptor, SYS_pidfd_getfd, 9, 0, 0)
ATTACK(new_session, SYS_setsid)

static int read_other_memory(void)
{
    struct iovec here = { scratch, sizeof(scratch) }, there = { scratch, sizeof(scratch) };
    return TRY(SYS_process_vm_readv, getppid(), &here, 1, &there, 1, 0);
}

static int write_other_memory(void)
{
    struct iovec here = { scratch, sizeof(scratch) }, there = { scratch, sizeof(scratch) };
    return TRY(SYS_process_vm_writev, getppid(), &here, 1, &there, 1, 0);
}

/* Descriptors that the host might have left open. */
static int use_descriptors(long call, bool own_socket_too)
{
    for (int fd = 0; fd < 1024; fd++) {
        if (fd == 9 && !own_socket_too)
            continue;
        struct iovec part = { scratch, 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        long done = call == SYS_sendmsg ? syscall(call, fd, &message, MSG_DONTWAIT)
                    : call == SYS_dup   ? syscall(call, fd)
                                        : syscall(call, fd, scratch, 1);
        if (done >= 0)
            return 0;
    }
    return EBADF;
}

static int write_descriptors(void)
{
    return use_descriptors(SYS_write, true);
}

static int send_on_descriptors(void)
{
    return use_descriptors(SYS_sendmsg, false);
}

static int copy_descriptors(void)
{
    return use_descriptors(SYS_dup, true);
}

/* Passing the worker's socket or random device on needs a socket to pass it over; making one is tried above. */
static int control_socket(void)
{
    int value = 1;
    return TRY(SYS_setsockopt, 9, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value));
}

static int map_descriptor(void)
{
    return TRY(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, 9, 0);
}

/* Memory. */
ATTACK(map_shared, SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
ATTACK(map_executable, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
ATTACK(make_executable, SYS_mprotect, ((uintptr_t)scratch & ~4095ul), 4096, PROT_READ | PROT_EXEC)
ATTACK(make_executable_by_key, SYS_pkey_mprotect, ((uintptr_t)scratch & ~4095ul), 4096, PROT_READ | PROT_EXEC, -1)
ATTACK(memory_file, SYS_memfd_create, "shared", 0)
ATTACK(shared_segment, SYS_shmget, 0x1234, 4096, 01666)
ATTACK(message_queue, SYS_msgget, 0x1234, 01666)
ATTACK(semaphore, SYS_semget, 0x1234, 1, 01666)
ATTACK(fault_handler, SYS_userfaultfd, 0)
ATTACK(lock_memory, SYS_mlockall, MCL_CURRENT)
ATTACK(event_descriptor, SYS_eventfd2, 0, 0)
ATTACK(make_pipe, SYS_pipe2, scratch, 0)

/* Rights. */
ATTACK(become_root, SYS_setuid, 0)
ATTACK(become_root_group, SYS_setresgid, 0, 0, 0)
ATTACK(take_capabilities, SYS_capset, scratch, scratch)
ATTACK(leave_namespace, SYS_setns, 9, 0)
ATTACK(new_namespace, SYS_unshare, CLONE_NEWUSER)
ATTACK(survive_parent, SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0)
ATTACK(be_dumpable, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
ATTACK(add_filter, SYS_seccomp, 0, 0, NULL)
ATTACK(raise_priority, SYS_setpriority, PRIO_PROCESS, 0, -20)
ATTACK(real_time, SYS_sched_setscheduler, 0, SCHED_FIFO, scratch)
ATTACK(take_processors, SYS_sched_setaffinity, 0, 128, scratch)
ATTACK(load_module, SYS_finit_module, 9, "", 0)
ATTACK(load_bpf, SYS_bpf, 0, scratch, 64)
ATTACK(use_ring, SYS_io_uring_setup, 8, scratch)
ATTACK(use_keys, SYS_keyctl, 0, 0, 0, 0, 0)
ATTACK(count_events, SYS_perf_event_open, scratch, 0, -1, -1, 0)
ATTACK(set_clock, SYS_clock_settime, CLOCK_REALTIME, scratch)
ATTACK(reboot_machine, SYS_reboot, 0xfee1dead, 672274793, 0x1234567, NULL)
ATTACK(set_handler, SYS_rt_sigaction, SIGTERM, NULL, NULL, 8)

static int raise_limits(void)
{
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
    return TRY(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}

#ifdef __x86_64__
/* The 32-bit and x32 doors have other numbers, which a filter for one architecture would not know. */
static int call_by_interrupt(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(2L) : "memory", "r8", "r9", "r10", "r11"); /* fork */
    return result < 0 ? (int)-result : 0;
}

ATTACK(call_x32, 0x40000000L + SYS_getpid)
#endif

static const struct attack attacks[] = {
    { "open", open_file },
    { "openat", openat_file },
    { "openat2", openat2_file },
    { "create a file", create_file },
    { "read /proc", read_proc },
    { "read the parent's memory file", read_parent_memory },
    { "stat", stat_file },
    { "list the root", list_root },
    { "chroot", change_root },
    { "chdir", change_folder },
    { "mknod", make_node },
    { "mount", mount_proc },
    { "open_by_handle_at", open_by_handle },
    { "inotify", watch_files },
    { "TCP socket", socket_inet },
    { "UDP socket", socket_inet6 },
    { "Unix socket", socket_unix },
    { "netlink socket", socket_netlink },
    { "packet socket", socket_packet },
    { "socket pair", socket_pair },
    { "fork", fork_process },
    { "vfork", vfork_process },
    { "clone", clone_process },
    { "clone into a namespace", clone_namespace },
    { "clone3", clone3_process },
    { "execve", exec_shell },
    { "execveat", exec_at },
    { "ptrace itself", trace_me },
    { "ptrace the parent", trace_parent },
    { "kill the parent", kill_parent },
    { "kill everybody", kill_everybody },
    { "tgkill", kill_thread },
    { "queue a signal", queue_signal },
    { "pidfd_open", open_process },
    { "pidfd_getfd", take_descriptor },
    { "setsid", new_session },
    { "read the parent's memory", read_other_memory },
    { "write the parent's memory", write_other_memory },
    { "write to inherited descriptors", write_descriptors },
    { "send on inherited descriptors", send_on_descriptors },
    { "copy descriptors", copy_descriptors },
    { "change its socket", control_socket },
    { "map a descriptor", map_descriptor },
    { "shared memory", map_shared },
    { "executable memory", map_executable },
    { "make memory executable", make_executable },
    { "make memory executable by key", make_executable_by_key },
    { "memfd_create", memory_file },
    { "shmget", shared_segment },
    { "msgget", message_queue },
    { "semget", semaphore },
    { "userfaultfd", fault_handler },
    { "lock memory", lock_memory },
    { "eventfd", event_descriptor },
    { "pipe", make_pipe },
    { "setuid 0", become_root },
    { "setresgid 0", become_root_group },
    { "capset", take_capabilities },
    { "setns", leave_namespace },
    { "unshare", new_namespace },
    { "outlive the parent", survive_parent },
    { "become dumpable", be_dumpable },
    { "seccomp", add_filter },
    { "raise its priority", raise_priority },
    { "real-time scheduling", real_time },
    { "choose processors", take_processors },
    { "load a module", load_module },
    { "bpf", load_bpf },
    { "io_uring", use_ring },
    { "keyctl", use_keys },
    { "perf_event_open", count_events },
    { "set the clock", set_clock },
    { "reboot", reboot_machine },
    { "set a signal handler", set_handler },
    { "raise its limits", raise_limits },
#ifdef __x86_64__
    { "32-bit system call", call_by_interrupt },
    { "x32 system call", call_x32 },
#endif
};

#define ATTACK_COUNT (sizeof(attacks) / sizeof(attacks[0]))

/* __attack(index): 0 if it got through, else the errno. */
static JSValueRef run_attack(JSContextRef context, JSObjectRef function, JSObjectRef self, size_t count,
                             const JSValueRef arguments[], JSValueRef *exception)
{
    double index = count ? JSValueToNumber(context, arguments[0], exception) : -1;
    if (!(index >= 0 && index < ATTACK_COUNT))
        return JSValueMakeUndefined(context);
    return JSValueMakeNumber(context, attacks[(size_t)index].run());
}

static void set(JSGlobalContextRef context, const char *name, JSValueRef value)
{
    JSStringRef key = engine_string(name);
    JSObjectSetProperty(context, JSContextGetGlobalObject(context), key, value, kJSPropertyAttributeDontEnum, NULL);
    JSStringRelease(key);
}

void attacks_install(JSGlobalContextRef context)
{
    JSValueRef names[ATTACK_COUNT];
    for (size_t i = 0; i < ATTACK_COUNT; i++) {
        JSStringRef name = engine_string(attacks[i].name);
        names[i] = JSValueMakeString(context, name);
        JSStringRelease(name);
    }
    set(context, "__attacks", JSObjectMakeArray(context, ATTACK_COUNT, names, NULL));
    set(context, "__attack", JSObjectMakeFunctionWithCallback(context, NULL, run_attack));
}
