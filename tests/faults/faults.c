/*
 * Preloaded into Purser by tests/faults: lets the n-th call of one kind fail, once, and all others pass. Counted are the calls that our own
 * executable makes for memory, and those that it and libuv make on sockets; libraries' own memory is their own matter.
 *
 *   PURSER_FAULT=memory:17     the kind (memory, read, write, connect) and n
 *   PURSER_FAULT_LOG=FILE      at the end, "kind count" lines go there
 *
 * Built twice: FAULTS_MEMORY also replaces the heap's functions, which a sanitizer does not allow.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { MEMORY, READ, WRITE, CONNECT, KINDS };

static const char *const names[KINDS] = {"memory", "read", "write", "connect"};
static atomic_long counts[KINDS];
static long fail_at[KINDS];
static bool ready;

/* Where code of the executable and of libuv lies. */
static struct {
    uintptr_t from, to;
} own[2];
static uintptr_t base; /* of the executable */

static int note_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    int place = !info->dlpi_name[0] ? 0 : strstr(info->dlpi_name, "libuv.so") ? 1 : -1;
    (void)size;
    (void)arg;
    if (place == 0)
        base = info->dlpi_addr;
    for (int i = 0; place >= 0 && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            own[place].from = info->dlpi_addr + part->p_vaddr;
            own[place].to = own[place].from + part->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *order = getenv("PURSER_FAULT");
    dl_iterate_phdr(note_object, NULL);
    for (int i = 0; order && i < KINDS; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(order, names[i], size) == 0 && order[size] == ':')
            fail_at[i] = strtol(order + size + 1, NULL, 10);
    }
    ready = true;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("PURSER_FAULT_LOG");
    char line[64];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    ready = false;
    for (int i = 0; fd >= 0 && i < KINDS; i++) {
        int size = snprintf(line, sizeof line, "%s %ld\n", names[i], atomic_load(&counts[i]));
        if (write(fd, line, (size_t)size) != size)
            break;
    }
}

static bool is_within(const void *caller, int place)
{
    return (uintptr_t)caller >= own[place].from && (uintptr_t)caller < own[place].to;
}

/* Where in the executable, for addr2line: the last line before whatever goes wrong then. */
static void say_where(enum kind kind)
{
    void *frames[12];
    ready = false;
    int count = backtrace(frames, 12);
    dprintf(2, "fault: %s", names[kind]);
    for (int i = 2; i < count; i++)
        if (is_within(frames[i], 0))
            dprintf(2, " 0x%lx", (unsigned long)((uintptr_t)frames[i] - base));
    dprintf(2, "\n");
    ready = true;
}

static bool fails(enum kind kind, const void *caller)
{
    if (!ready || !(is_within(caller, 0) || (kind != MEMORY && is_within(caller, 1))))
        return false;
    if (atomic_fetch_add(&counts[kind], 1) + 1 != fail_at[kind])
        return false;
    say_where(kind);
    return true;
}

static bool socket_fails(enum kind kind, int fd, const void *caller, int error)
{
    struct stat found;
    if (!ready || fstat(fd, &found) || !S_ISSOCK(found.st_mode) || !fails(kind, caller))
        return false;
    errno = error;
    return true;
}

#define CALLER __builtin_return_address(0)
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void *bytes, size_t size)
{
    return socket_fails(READ, fd, CALLER, ECONNRESET) ? -1 : REAL(read)(fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    return socket_fails(WRITE, fd, CALLER, EPIPE) ? -1 : REAL(write)(fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return socket_fails(WRITE, fd, CALLER, EPIPE) ? -1 : REAL(writev)(fd, parts, count);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return socket_fails(CONNECT, fd, CALLER, ECONNREFUSED) ? -1 : REAL(connect)(fd, address, size);
}

#ifdef FAULTS_MEMORY
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);

void *malloc(size_t size)
{
    if (!fails(MEMORY, CALLER))
        return __libc_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    if (!fails(MEMORY, CALLER))
        return __libc_calloc(count, size);
    errno = ENOMEM;
    return NULL;
}

void *realloc(void *at, size_t size)
{
    if (!fails(MEMORY, CALLER))
        return __libc_realloc(at, size);
    errno = ENOMEM;
    return NULL;
}
#endif
