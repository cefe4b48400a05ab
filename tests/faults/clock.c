/*
 * Preloaded into Purser by tests/chaos/clock.test.mjs: the wall clock is set by the test. PURSER_CLOCK_FILE holds milliseconds, as a 64-bit
 * number in the machine's order, that are added to it from the moment they are written; the monotonic clock goes on as it does.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead_ms;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PURSER_CLOCK_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (at != MAP_FAILED)
        ahead_ms = at;
}

static void move(struct timespec *time)
{
    int64_t ns = time->tv_nsec + *ahead_ms % 1000 * 1000000;
    time->tv_sec += *ahead_ms / 1000 + (ns >= 1000000000) - (ns < 0);
    time->tv_nsec = (ns + 1000000000) % 1000000000;
}

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (__typeof__(real))dlsym(RTLD_NEXT, "clock_gettime");
    int error = real(id, ret_time);
    if (!error && ahead_ms && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        move(ret_time);
    return error;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now))
        return -1;
    *ret_time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret_time)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}
