/*
 * Preloaded into Purser by tests/faults: lets the n-th call of one kind fail, once, and all others pass. Counted are the calls that our own
 * executable makes for memory, those that it and libuv make on sockets, and SQLite's for its files; libraries' own memory is their own matter.
 *
 *   PURSER_FAULT=memory:17     the kind (see `names`) and n
 *   PURSER_FAULT=memory@f00    the first call of the kind at a place, which is the hash of the callers
 *   PURSER_FAULT_LOG=FILE      at the end, "kind count" and "kind@place" lines go there
 *
 *   PURSER_FAULT=leak:1        nothing fails, but some memory is lost: whoever looks for leaks has to find it
 *
 * Built twice: FAULTS_MEMORY also replaces the heap's functions, which a sanitizer does not allow; its executables ask
 * purser_fault_memory() (tests/faults/memory.c).
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

/* How the sanitized executable asks whether a call for memory fails. */
bool purser_fault_memory(const void *caller);

enum kind { MEMORY, READ, WRITE, CONNECT, ACCEPT, FILE_WRITE, SYNC, KINDS };

static const char *const names[KINDS] = {"memory", "read", "write", "connect", "accept", "file", "sync"};
static atomic_long counts[KINDS];
static long fail_at[KINDS];
static uint64_t fail_place[KINDS];
static bool ready;
static bool by_place; /* callers matter: looked at for each call */
static _Thread_local bool looking __attribute__((tls_model("initial-exec")));

/* Places seen, in an open table. */
#define PLACES 16384
static _Atomic uint64_t places[KINDS][PLACES];

/* Where code of the executable, of libuv and of SQLite lies. */
static struct {
    uintptr_t from, to;
} own[3];
static uintptr_t base; /* of the executable */

static int note_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    int place = !info->dlpi_name[0] ? 0 : strstr(info->dlpi_name, "libuv.so") ? 1 : strstr(info->dlpi_name, "libsqlite3.so") ? 2 : -1;
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

static void lose_memory(void)
{
    for (int i = 0; i < 16; i++) /* the address of one may stay in a register */
        memset(malloc(100), 1, 100);
}

__attribute__((constructor)) static void begin(void)
{
    const char *order = getenv("PURSER_FAULT");
    dl_iterate_phdr(note_object, NULL);
    for (int i = 0; order && i < KINDS; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(order, names[i], size) == 0 && order[size] == ':')
            fail_at[i] = strtol(order + size + 1, NULL, 10);
        if (strncmp(order, names[i], size) == 0 && order[size] == '@')
            fail_place[i] = strtoull(order + size + 1, NULL, 16);
        by_place |= fail_place[i] != 0;
    }
    if (order && !strcmp(order, "leak:1"))
        lose_memory();
    by_place |= getenv("PURSER_FAULT_LOG") != NULL;
    unsetenv("LD_PRELOAD"); /* the sanitizers start a program that names the places of a leak */
    ready = true;
}

static void say(int fd, const char *line, int size)
{
    if (write(fd, line, (size_t)size) != size)
        _exit(3);
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

/* FNV-1a over the callers that are ours. */
static uint64_t place_of_callers(void)
{
    void *frames[40];
    uint64_t hash = 0xcbf29ce484222325u;
    int count = backtrace(frames, 40);
    for (int i = 2; i < count; i++)
        if (is_within(frames[i], 0))
            hash = (hash ^ ((uintptr_t)frames[i] - base)) * 0x100000001b3u;
    return hash | 1;
}

/* Whether it was not there. */
static bool note_place(enum kind kind, uint64_t place)
{
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t empty = 0, index = (place + i) % PLACES;
        if (atomic_compare_exchange_strong(&places[kind][index], &empty, place))
            return true;
        if (empty == place)
            return false;
    }
    return false;
}

static bool fails_here(enum kind kind)
{
    looking = true;
    uint64_t place = place_of_callers();
    looking = false;
    return note_place(kind, place) && place == fail_place[kind];
}

static bool fails(enum kind kind, const void *caller)
{
    if (!ready || looking || !(is_within(caller, 0) || is_within(caller, kind == FILE_WRITE || kind == SYNC ? 2 : kind == MEMORY ? 0 : 1)))
        return false;
    bool here = by_place && fails_here(kind);
    if (atomic_fetch_add(&counts[kind], 1) + 1 != fail_at[kind] && !here)
        return false;
    say_where(kind);
    return true;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("PURSER_FAULT_LOG");
    char line[64];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    ready = false;
    for (int i = 0; fd >= 0 && i < KINDS; i++) {
        say(fd, line, snprintf(line, sizeof line, "%s %ld\n", names[i], atomic_load(&counts[i])));
        for (unsigned k = 0; k < PLACES; k++)
            if (places[i][k])
                say(fd, line, snprintf(line, sizeof line, "%s@%llx\n", names[i], (unsigned long long)places[i][k]));
    }
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

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return socket_fails(ACCEPT, fd, CALLER, EMFILE) ? -1 : REAL(accept4)(fd, address, size, flags);
}

static bool file_fails(enum kind kind, const void *caller, int error)
{
    if (!fails(kind, caller))
        return false;
    errno = error;
    return true;
}

/* SQLite takes it by the name that has 64-bit offsets. */
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    return file_fails(FILE_WRITE, CALLER, ENOSPC) ? -1 : REAL(pwrite64)(fd, bytes, size, at);
}

int fsync(int fd)
{
    return file_fails(SYNC, CALLER, EIO) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    return file_fails(SYNC, CALLER, EIO) ? -1 : REAL(fdatasync)(fd);
}

bool purser_fault_memory(const void *caller)
{
    return fails(MEMORY, caller);
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
