/* The harness of the port suites (see the header). */
#include "port_case.h"

#include <ftw.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static char folder[] = "/tmp/purser-ports-XXXXXX";
static pid_t owner;

void case_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    fflush(NULL);
    _exit(1);
}

void case_check_equal(const char *file, int line, const char *what, long long got, long long want)
{
    char text[300];
    snprintf(text, sizeof text, "%s is %lld, not %lld", what, got, want);
    if (got != want)
        case_failed(file, line, text);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static void remove_folder(void)
{
    if (getpid() == owner)
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void case_settings(void)
{
    struct err err = {0};
    static char *none[] = {NULL};
    signal(SIGPIPE, SIG_IGN);
    check(mkdtemp(folder));
    owner = getpid();
    atexit(remove_folder);
    if (settings_load(none, &err) < 0 || settings_set("data", folder, &err) < 0 || settings_set("retry_base", "20ms", &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
}

struct run {
    void (*body)(void *arg);
    void *arg;
};

static void run_body(void *arg)
{
    const struct run *run = arg;
    run->body(run->arg);
    workers_stop();
}

void case_run(void (*body)(void *arg), void *arg)
{
    struct err err = {0};
    struct run run = {body, arg};
    if (workers_start(2, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
    check(fiber_start("case", run_body, &run) == 0);
    worker_run();
}

int case_run_in_child(void (*body)(void *arg), void *arg)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        case_run(body, arg);
        _exit(0);
    }
    check(waitpid(child, &status, 0) == child);
    return status;
}

const char *case_name(const char *prefix)
{
    static char names[100][64];
    static _Atomic unsigned count;
    char id[UUID_SIZE];
    unsigned at = atomic_fetch_add(&count, 1);
    check(at < sizeof names / sizeof *names);
    uuid_make(id);
    snprintf(names[at], sizeof names[at], "%s-%s", prefix, id);
    return names[at];
}

void case_until(bool (*holds)(void *arg), void *arg)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (!holds(arg)) {
        if (clock_mono_ms() > until)
            case_failed(__FILE__, __LINE__, "waited for too long");
        fiber_sleep(2);
    }
}

struct threshold {
    _Atomic int *number;
    int least;
};

static bool is_reached(void *arg)
{
    const struct threshold *threshold = arg;
    return atomic_load(threshold->number) >= threshold->least;
}

void case_until_count(_Atomic int *number, int least)
{
    struct threshold threshold = {number, least};
    case_until(is_reached, &threshold);
}

struct crowd {
    void (*run)(void *arg);
    void *arg;
    _Atomic int ended;
};

static void run_one(void *arg)
{
    struct crowd *crowd = arg;
    crowd->run(crowd->arg);
    atomic_fetch_add(&crowd->ended, 1);
}

void case_crowd(unsigned count, void (*run)(void *arg), void *arg)
{
    struct crowd crowd = {run, arg, 0};
    for (unsigned i = 0; i < count; i++)
        check(worker_start_fiber(worker_at(i % worker_count()), "crowd", run_one, &crowd) == 0);
    case_until_count(&crowd.ended, (int)count);
}
