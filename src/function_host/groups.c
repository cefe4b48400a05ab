/* Memory groups. Moving a process into a group waits for every processor to pass a quiet point, 5 to 30 ms, twenty times a
 * fork; so a process beside the host moves workers while they come up, and until it has, the watch alone holds them. That
 * process is also what is left when the host is killed: it takes the groups away at its end. */
#include "function_host/groups.h"
#include "function_host/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "purser-functions-"
#define REHEARSAL_SLOT UINT32_MAX
#define START_WAIT_MS 1000

struct move {
    uint32_t slot;
    int32_t pid;
    uint32_t memory_kb;
};

struct moved {
    uint32_t slot;
    uint32_t inside;
};

static int above_fd = -1, base_fd = -1;
static char base_name[64];
static bool second; /* cgroup v2 */
static int mover_fd = -1;
static pid_t mover;
static uint64_t kills[WATCH_WORKERS_MAX]; /* as last seen */

static bool write_at(int folder, const char *path, const char *text)
{
    int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

static bool read_at(int folder, const char *path, char *ret_text, size_t size)
{
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, ret_text, size - 1);
    if (fd >= 0)
        close(fd);
    ret_text[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* The path that /proc/self/cgroup has for a controller ("" is v2's line). */
static bool find_own_path(const char *controller, char *ret_path, size_t size)
{
    char line[PATH_MAX];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !found && fgets(line, sizeof(line), file)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        found = strcmp(names + 1, controller) == 0 && snprintf(ret_path, size, "%s", path) < (int)size;
    }
    if (file)
        fclose(file);
    return found;
}

static int open_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_own(void)
{
    char path[PATH_MAX], whole[PATH_MAX + 64];
    int fd = -1;
    if (find_own_path("memory", path, sizeof(path))) {
        snprintf(whole, sizeof(whole), "/sys/fs/cgroup/memory%s", path);
        fd = open_folder(whole);
        /* In a container the path may be one of the world outside. */
        return fd >= 0 ? fd : open_folder("/sys/fs/cgroup/memory");
    }
    if (!find_own_path("", path, sizeof(path)))
        return -1;
    snprintf(whole, sizeof(whole), "/sys/fs/cgroup%s", path);
    fd = open_folder(whole);
    return fd >= 0 ? fd : open_folder("/sys/fs/cgroup");
}

/* Removes a host's group and those of its slots; false: processes are in it still. */
static bool remove_base(const char *name)
{
    int folder = openat(above_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = folder < 0 ? NULL : fdopendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            unlinkat(folder, entry->d_name, AT_REMOVEDIR);
    if (list)
        closedir(list);
    return unlinkat(above_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/* What hosts left behind that were killed with their movers. */
static void remove_stale(void)
{
    int folder = openat(above_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = folder < 0 ? NULL : fdopendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (strncmp(entry->d_name, NAME, strlen(NAME)) != 0)
            continue;
        pid_t pid = (pid_t)strtol(entry->d_name + strlen(NAME), NULL, 10);
        if (pid > 0 && kill(pid, 0) && errno == ESRCH)
            remove_base(entry->d_name);
    }
    if (list)
        closedir(list);
}

static bool make_base(void)
{
    second = faccessat(above_fd, "cgroup.controllers", F_OK, 0) == 0;
    if (second && !write_at(above_fd, "cgroup.subtree_control", "+memory"))
        return false;
    remove_stale();
    snprintf(base_name, sizeof(base_name), NAME "%d", (int)getpid());
    if (mkdirat(above_fd, base_name, 0755))
        return false;
    base_fd = openat(above_fd, base_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return base_fd >= 0 && (!second || write_at(base_fd, "cgroup.subtree_control", "+memory"));
}

static void forget(void)
{
    if (base_fd >= 0)
        close(base_fd);
    if (above_fd >= 0 && base_name[0])
        remove_base(base_name);
    if (above_fd >= 0)
        close(above_fd);
    above_fd = base_fd = -1;
}

/* The group of a slot is there with its limit; swap does not add to it. */
static bool make_slot(const char *name, uint32_t memory_kb)
{
    char path[128], bytes[32];
    if (mkdirat(base_fd, name, 0755) && errno != EEXIST)
        return false;
    snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)memory_kb * 1024);
    if (second) {
        snprintf(path, sizeof(path), "%s/memory.swap.max", name);
        write_at(base_fd, path, "0"); /* where there is swap */
        snprintf(path, sizeof(path), "%s/memory.max", name);
        return write_at(base_fd, path, bytes);
    }
    /* Memory with swap may never be below memory alone, on the way either. */
    char with_swap[128];
    snprintf(with_swap, sizeof(with_swap), "%s/memory.memsw.limit_in_bytes", name);
    write_at(base_fd, with_swap, "-1");
    snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", name);
    bool limited = write_at(base_fd, path, bytes);
    write_at(base_fd, with_swap, bytes);
    return limited;
}

static bool move(const struct move *move)
{
    char name[32], path[64], pid[16];
    snprintf(name, sizeof(name), "slot-%u", move->slot);
    if (!make_slot(name, move->memory_kb))
        return false;
    snprintf(path, sizeof(path), "%s/cgroup.procs", name);
    snprintf(pid, sizeof(pid), "%d", (int)move->pid);
    return write_at(base_fd, path, pid);
}

/* Whether it works here: a child that moves itself. */
static bool rehearse(void)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(move(&(struct move){ .slot = REHEARSAL_SLOT, .memory_kb = 64 * 1024 }) ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static _Noreturn void move_until_end(int fd)
{
    prctl(PR_SET_NAME, "purser-groups"); /* not one of the functions' processes */
    struct moved done = { REHEARSAL_SLOT, rehearse() };
    struct move order;
    while (send(fd, &done, sizeof(done), MSG_NOSIGNAL) == sizeof(done) && recv(fd, &order, sizeof(order), 0) == sizeof(order))
        done = (struct moved){ order.slot, move(&order) };
    for (int i = 0; i < 100 && !remove_base(base_name); i++)
        poll(NULL, 0, 50); /* workers die with the host, but not before it */
    _exit(0);
}

/* The mover keeps its socket and the groups; not even the standard error, whose reader need not wait for it. */
static void close_others(int fd)
{
    int kept[] = { above_fd, base_fd, fd }, last = -1;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        int next = INT_MAX;
        for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++)
            if (kept[k] > last && kept[k] < next)
                next = kept[k];
        if (next > last + 1)
            close_range((unsigned)last + 1, (unsigned)next - 1, 0);
        last = next;
    }
    close_range((unsigned)last + 1, ~0u, 0);
}

static bool start_mover(void)
{
    int pair[2];
    mover = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ? -1 : fork();
    if (mover == 0) {
        close_others(pair[1]);
        move_until_end(pair[1]);
    }
    if (mover < 0)
        return false;
    close(pair[1]);
    mover_fd = pair[0];
    return true;
}

void groups_start(const char *folder)
{
    if (strcmp(folder, "off") == 0)
        return;
    above_fd = *folder ? open_folder(folder) : open_own();
    if (above_fd < 0 || !make_base() || !start_mover())
        forget();
}

bool groups_stand(void)
{
    if (mover_fd < 0)
        return false;
    struct pollfd answer = { .fd = mover_fd, .events = POLLIN };
    struct moved done = { 0 };
    if (poll(&answer, 1, START_WAIT_MS) == 1 && recv(mover_fd, &done, sizeof(done), 0) == sizeof(done) && done.inside)
        return true;
    close(mover_fd); /* it takes the group away */
    mover_fd = -1;
    return false;
}

int groups_fd(void)
{
    return mover_fd;
}

bool groups_move(uint32_t slot, pid_t pid, uint32_t memory_kb)
{
    struct move order = { slot, pid, memory_kb };
    return mover_fd >= 0 && send(mover_fd, &order, sizeof(order), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(order);
}

bool groups_moved(uint32_t *ret_slot, bool *ret_inside, bool *ret_gone)
{
    struct moved done;
    ssize_t got = mover_fd < 0 ? -1 : recv(mover_fd, &done, sizeof(done), MSG_DONTWAIT);
    *ret_gone = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    if (got != sizeof(done)) {
        if (*ret_gone && mover_fd >= 0) {
            waitpid(mover, NULL, 0);
            close(mover_fd);
            mover_fd = -1;
        }
        return false;
    }
    *ret_slot = done.slot;
    *ret_inside = done.inside;
    return true;
}

bool groups_was_killed(uint32_t slot)
{
    char path[64], text[2048];
    if (base_fd < 0)
        return false;
    snprintf(path, sizeof(path), "slot-%u/%s", slot, second ? "memory.events" : "memory.oom_control");
    char *at = read_at(base_fd, path, text, sizeof(text)) ? strstr(text, "oom_kill ") : NULL;
    uint64_t count = at ? strtoull(at + strlen("oom_kill "), NULL, 10) : kills[slot];
    bool killed = count != kills[slot];
    kills[slot] = count;
    return killed;
}
