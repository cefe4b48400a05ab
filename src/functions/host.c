/*
 * The host as a child. Each start is a `life` with a table of slots and a command socket of its own, so that nothing of a host that
 * died is taken for something of the next; a life goes when its last process has been left. One mutex guards the lives; it is held for
 * a few instructions and one sendmsg at most.
 */
#include "functions/host_life.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "runtime/worker.h"
#include "service/health.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESTART_PAUSE_MS 500

pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
struct host_life *host_current;
static uint32_t last_walls;
static bool stopping;
static struct timer restart_timer;
static char executable[PATH_MAX];

void host_life_unref(struct host_life *life)
{
    if (--life->users)
        return;
    munmap(life->slots, life->slots_bytes);
    close(life->command_fd);
    free(life);
}

static int find_executable(struct err *err)
{
    const char *set = settings_text("function_host");
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    int size = *set ? snprintf(executable, sizeof(executable), "%s", set)
                    : snprintf(executable, sizeof(executable), "%s/purser-function-host", self);
    if (size < (int)sizeof(executable) && access(executable, X_OK) == 0)
        return 0;
    err_set(err, -ENOENT, "%s is missing, so no function can run; build it (it needs libjavascriptcoregtk-4.1-dev, node and npm) "
                          "or set PURSER_FUNCTION_HOST",
            executable);
    executable[0] = 0; /* nobody waits for it */
    return err->code;
}

static void start_life(void *unused);

static void handle_closed(uv_handle_t *handle)
{
    struct host_life *life = handle->data;
    pthread_mutex_lock(&host_lock);
    host_life_unref(life);
    pthread_mutex_unlock(&host_lock);
}

static void on_exit_of_host(uv_process_t *process, int64_t status, int signal)
{
    struct host_life *life = process->data;
    pthread_mutex_lock(&host_lock);
    life->up = false;
    if (host_current == life)
        host_current = NULL;
    pthread_mutex_unlock(&host_lock);
    uv_close((uv_handle_t *)&life->poll, handle_closed);
    uv_close((uv_handle_t *)process, handle_closed);
    if (stopping)
        return;
    log_warn("function host ended; it is started again", "{s:I, s:i}", "status", (json_int_t)status, "signal", signal);
    int64_t now = clock_mono_ms();
    bool young = now - life->started_mono_ms < 5000;
    timer_start(&restart_timer, now + (young ? RESTART_PAUSE_MS : 0), start_life, NULL);
}

static void note_walls(uint32_t walls)
{
    char missing[256];
    bool first = last_walls == 0;
    last_walls = walls;
    gauge_set(gauge_get("purser_function_memory_cgroups", NULL,
                        "1: the kernel holds functions' processes to their memory; 0: the watch on resident size alone."),
              walls & FUNCTION_WALL_CGROUP ? 1 : 0);
    host_missing_walls(missing, sizeof(missing));
    if (!first)
        return;
    if (*missing) {
        char note[320];
        snprintf(note, sizeof(note), "functions run without %s", missing);
        health_note(strdup(note));
    }
    log_info("function host is ready", "{s:i, s:s}", "walls", (int)walls, "missing", missing);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct host_life *life = poll->data;
    struct function_ready ready;
    ssize_t got = recv(life->command_fd, &ready, sizeof(ready), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    uv_poll_stop(poll);
    if (got != sizeof(ready) || ready.magic != FUNCTION_HOST_MAGIC)
        return; /* its end is reported by on_exit_of_host */
    pthread_mutex_lock(&host_lock);
    life->up = true;
    note_walls(ready.walls);
    pthread_mutex_unlock(&host_lock);
}

/* The table and the socket pair; the host's end goes to *ret_command, the table's descriptor to *ret_slots. */
static struct host_life *life_new(int *ret_command, int *ret_slots)
{
    int pair[2];
    struct host_life *life = calloc(1, sizeof(*life));
    if (!life)
        return NULL;
    life->slots_bytes = sizeof(struct function_slots) + SLOT_COUNT * sizeof(struct function_slot);
    int fd = memfd_create("function-slots", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)life->slots_bytes) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        if (fd >= 0)
            close(fd);
        free(life);
        return NULL;
    }
    life->slots = mmap(NULL, life->slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    life->slots->count = SLOT_COUNT;
    life->command_fd = pair[0];
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    life->started_mono_ms = clock_mono_ms();
    *ret_command = pair[1];
    *ret_slots = fd;
    return life;
}

static int spawn_life(struct host_life *life, int command_fd, int slots_fd)
{
    uv_stdio_container_t stdio[5] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        [FUNCTION_HOST_COMMAND_FD] = {.flags = UV_INHERIT_FD, .data.fd = command_fd},
        [FUNCTION_HOST_SLOTS_FD] = {.flags = UV_INHERIT_FD, .data.fd = slots_fd},
    };
    char *arguments[] = {executable, (char *)settings_text("function_cgroup"), NULL};
    static char language[] = "LANG=C.UTF-8", zone[] = "TZ=UTC";
    char *environment[] = {language, zone, NULL}; /* nothing of ours, secrets least of all */
    uv_process_options_t options = {
        .file = executable,
        .args = arguments,
        .env = environment,
        .stdio = stdio,
        .stdio_count = 5,
        .exit_cb = on_exit_of_host,
    };
    life->process.data = life;
    int error = uv_spawn(worker_loop(), &life->process, &options);
    if (error)
        return error;
    life->poll.data = life;
    uv_poll_init(worker_loop(), &life->poll, life->command_fd);
    uv_poll_start(&life->poll, UV_READABLE, on_ready);
    return 0;
}

static void start_life(void *unused)
{
    int command_fd = -1, slots_fd = -1;
    struct host_life *life = stopping ? NULL : life_new(&command_fd, &slots_fd);
    if (!life)
        return;
    life->users = 2; /* its two handles */
    int error = spawn_life(life, command_fd, slots_fd);
    close(command_fd);
    close(slots_fd);
    if (error) {
        log_error("function host cannot be started", "{s:s, s:s}", "file", executable, "error", uv_strerror(error));
        life->users = 1;
        uv_close((uv_handle_t *)&life->process, handle_closed);
        timer_start(&restart_timer, clock_mono_ms() + 10 * RESTART_PAUSE_MS, start_life, NULL);
        return;
    }
    pthread_mutex_lock(&host_lock);
    host_current = life;
    pthread_mutex_unlock(&host_lock);
}

int host_start(struct err *err)
{
    if (find_executable(err))
        return err->code;
    stopping = false;
    start_life(NULL);
    return 0;
}

FIBER_FN void host_stop(void)
{
    stopping = true;
    timer_stop(&restart_timer);
    pthread_mutex_lock(&host_lock);
    if (host_current)
        shutdown(host_current->command_fd, SHUT_RDWR);
    pthread_mutex_unlock(&host_lock);
    /* It kills its processes and goes; if it does not, it is killed. */
    bool gone = false;
    for (int i = 0; i < 200 && !gone; i++) {
        pthread_mutex_lock(&host_lock);
        gone = !host_current;
        if (host_current && i == 100)
            uv_process_kill(&host_current->process, SIGKILL);
        pthread_mutex_unlock(&host_lock);
        if (!gone && fiber_sleep(5))
            break;
    }
}

bool host_is_up(void)
{
    pthread_mutex_lock(&host_lock);
    bool up = host_current && host_current->up;
    pthread_mutex_unlock(&host_lock);
    return up;
}

FIBER_FN int host_wait(int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    while (!host_is_up()) {
        if (!*executable || clock_mono_ms() >= until)
            return -ENOTCONN;
        int error = fiber_sleep(5);
        if (error)
            return error;
    }
    return 0;
}

uint32_t host_walls(void)
{
    return last_walls;
}

void host_missing_walls(char *ret_text, size_t size)
{
    static const struct {
        uint32_t any; /* one of these is enough */
        const char *name;
    } wanted[] = {
        {FUNCTION_WALL_SECCOMP, "system call filter"},
        {FUNCTION_WALL_UID | FUNCTION_WALL_USER_NAMESPACE, "user id of its own"},
        {FUNCTION_WALL_EMPTY_ROOT, "empty root"},
        {FUNCTION_WALL_MOUNT_NAMESPACE, "mount namespace"},
        {FUNCTION_WALL_PID_NAMESPACE, "process namespace"},
        {FUNCTION_WALL_NETWORK_NAMESPACE, "network namespace"},
        {FUNCTION_WALL_IPC_NAMESPACE, "IPC namespace"},
        {FUNCTION_WALL_CGROUP, "memory cgroup"},
    };
    size_t at = 0;
    ret_text[0] = 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!(last_walls & wanted[i].any) && at < size)
            at += (size_t)snprintf(ret_text + at, size - at, "%s%s", at ? ", " : "", wanted[i].name);
}

void host_restart(void)
{
    pthread_mutex_lock(&host_lock);
    if (host_current)
        kill(host_current->process.pid, SIGKILL);
    pthread_mutex_unlock(&host_lock);
}
