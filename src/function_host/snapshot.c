/* After snapshot_take all memory is protected from writing. The first write to a page comes to on_write(), which keeps a
 * copy and lets the page be written from then on; rolling back copies it back. A function writes to much the same pages in
 * each call, so after a few calls no page is missed any more, and rolling back is a hundred pages to copy.
 *
 * The stack is not rolled back: nobody looks below its end. What is mapped after the snapshot is unmapped. Whatever else
 * changes the map of memory, or starts a thread, ends the snapshot first. The functions at the end of this file see to
 * that; they stand before the C library's for the whole process. */
#include "function_host/snapshot.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define REGIONS_MAX 512u
#define MAPPINGS_MAX 1024u
#define COPIES_MAX 16384u
#define BLANKS_MAX 1024u
/* So many pages that were blank are copied like others: that is cheaper than to have the kernel give them anew each time. */
#define BLANKS_COPIED 64u
/* One call may have written to far more than others do: beyond this, what is written to is learnt anew now and then. */
#define COPIES_USUAL 512u
#define LEARN_EVERY 32u
/* Of a snapshot, in calls: what the engine learns in a call is lost with it, so from time to time it may keep some. */
#define LIFE_FIRST 100u
#define LIFE_GROWTH 10u
#define LIFE_MAX 10000u
/* Around what the C library keeps of the thread. The kernel writes into it (rseq). */
#define THREAD_BYTES (3 * PAGE)
#define CODE_PAGES 4096u

struct region {
    uintptr_t start, end;
    bool anonymous;
    bool code; /* may be executed: a sealed worker cannot change its protection, so what is there is always copied back */
    bool heap; /* of the C library, which grows at its end */
};

struct range {
    uintptr_t start, end;
};

/* In memory of its own, which is not rolled back. */
struct snapshot {
    uintptr_t heap_end;
    size_t always; /* copies that are kept when the others are learnt anew */
    size_t copies, blanks_copied, blanks, mappings;
    unsigned calls;
    uintptr_t page[COPIES_MAX];
    struct range blank[BLANKS_MAX];     /* written to, and all zero before */
    struct range mapping[MAPPINGS_MAX]; /* made since */
    uint8_t copy[COPIES_MAX][PAGE];
};

static struct region regions[REGIONS_MAX];
static size_t region_count;
static bool surveyed, disturbed;
static unsigned life = LIFE_FIRST; /* of the next snapshot, in calls */
static struct snapshot *taken;
static struct sigaction former;

static void on_write(int signal_number, siginfo_t *info, void *machine);

static void add_region(const char *line)
{
    unsigned long start, end, inode;
    char rights[5], path[32] = "";
    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %31s", &start, &end, rights, &inode, path) < 4)
        return;
    if (rights[1] != 'w' || rights[3] != 'p' || !strcmp(path, "[stack]"))
        return;
    if (region_count < REGIONS_MAX)
        regions[region_count] = (struct region){
            .start = start,
            .end = end,
            .anonymous = inode == 0,
            .code = rights[2] == 'x',
            .heap = !strcmp(path, "[heap]"),
        };
    region_count++;
}

void snapshot_survey(int proc_fd)
{
    mallopt(M_MMAP_MAX, 0); /* what the C library maps by itself would not be seen */
    /* A sealed process cannot set a handler. */
    struct sigaction action = {.sa_sigaction = on_write, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, &former);
    int fd = openat(proc_fd, "self/maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
    if (!maps)
        return;
    char line[512];
    while (fgets(line, sizeof(line), maps))
        add_region(line);
    fclose(maps);
    surveyed = region_count <= REGIONS_MAX;
}

/* System calls by number: the functions at the end would take them for somebody else's. */
static bool protect(uintptr_t start, uintptr_t end, int rights)
{
    return start >= end || syscall(SYS_mprotect, start, end - start, rights) == 0;
}

static uintptr_t page_of(const void *address)
{
    return (uintptr_t)address & ~(uintptr_t)(PAGE - 1);
}

static bool is_blank(const void *page)
{
    const uint64_t *word = page;
    for (size_t i = 0; i < PAGE / sizeof(*word); i++)
        if (word[i])
            return false;
    return true;
}

static bool keep_copy(uintptr_t page)
{
    if (taken->copies == COPIES_MAX)
        return false;
    memcpy(taken->copy[taken->copies], (const void *)page, PAGE);
    taken->page[taken->copies++] = page;
    return true;
}

static bool keep_blank(uintptr_t page)
{
    for (size_t i = taken->blanks; i-- > 0;) {
        if (taken->blank[i].end == page) {
            taken->blank[i].end += PAGE;
            return true;
        }
    }
    if (taken->blanks == BLANKS_MAX)
        return false;
    taken->blank[taken->blanks++] = (struct range){page, page + PAGE};
    return true;
}

static bool keep(uintptr_t page, const struct region *region)
{
    if (!region->anonymous || !is_blank((const void *)page))
        return keep_copy(page);
    if (taken->blanks_copied == BLANKS_COPIED)
        return keep_blank(page) || keep_copy(page);
    taken->blanks_copied++;
    return keep_copy(page);
}

/* The part of a region that the kernel writes to at any time: what the C library keeps of the thread. */
static struct range thread_part(const struct region *region)
{
    uintptr_t start = page_of((void *)pthread_self()) - PAGE, end = start + THREAD_BYTES;
    if (start < region->start)
        start = region->start;
    if (end > region->end)
        end = region->end;
    return start < end ? (struct range){start, end} : (struct range){region->end, region->end};
}

/* All but what is always copied back. */
static bool protect_all(int rights)
{
    bool done = true;
    for (size_t i = 0; i < region_count; i++) {
        const struct region *region = &regions[i];
        struct range open = thread_part(region);
        if (!region->code)
            done &= protect(region->start, open.start, rights) && protect(open.end, region->end, rights);
    }
    return done;
}

/* There is something that cannot be rolled back. */
static void disturb(void)
{
    if (!surveyed || disturbed)
        return;
    if (taken)
        protect_all(PROT_READ | PROT_WRITE);
    disturbed = true;
}

static const struct region *region_of(uintptr_t page)
{
    for (size_t i = 0; i < region_count; i++)
        if (page >= regions[i].start && page < regions[i].end)
            return &regions[i];
    return NULL;
}

static void on_write(int signal_number, siginfo_t *info, void *machine)
{
    int error = errno;
    uintptr_t page = page_of(info->si_addr);
    const struct region *region = snapshot_is_taken() && info->si_code == SEGV_ACCERR ? region_of(page) : NULL;
    if (region && !region->code) {
        if (!keep(page, region) || !protect(page, page + PAGE, PROT_READ | PROT_WRITE))
            disturb();
    } else if (former.sa_flags & SA_SIGINFO) {
        former.sa_sigaction(signal_number, info, machine);
    } else if (sigaction(signal_number, &former, NULL)) { /* else it comes again */
        __builtin_trap();
    }
    errno = error;
}

/* Compiled code lies close together: a page that is not resident was swapped out, if it ever was, where others are. */
static bool keep_code(const struct region *region)
{
    unsigned char resident[CODE_PAGES];
    for (uintptr_t at = region->start; at < region->end; at += CODE_PAGES * PAGE) {
        size_t pages = (region->end - at) / PAGE < CODE_PAGES ? (region->end - at) / PAGE : CODE_PAGES;
        if (syscall(SYS_mincore, at, pages * PAGE, resident))
            return false;
        if (!memchr(resident, 1, pages))
            continue;
        for (size_t i = 0; i < pages; i++)
            if (!is_blank((const void *)(at + i * PAGE)) && !keep_copy(at + i * PAGE))
                return false;
    }
    return true;
}

static bool keep_always(void)
{
    for (size_t i = 0; i < region_count; i++) {
        struct range open = thread_part(&regions[i]);
        for (uintptr_t page = open.start; page < open.end; page += PAGE)
            keep_copy(page);
        if (regions[i].code && !keep_code(&regions[i]))
            return false;
    }
    taken->always = taken->copies;
    return true;
}

bool snapshot_take(void)
{
    assert(!taken);
    if (!surveyed || disturbed)
        return false;
    long memory = syscall(SYS_mmap, NULL, sizeof(*taken), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == -1)
        return false;
    taken = (struct snapshot *)memory;
    mallopt(M_TRIM_THRESHOLD, INT32_MAX); /* the heap must not shrink below what it is now */
    taken->heap_end = (uintptr_t)sbrk(0);
    for (size_t i = 0; i < region_count; i++)
        if (regions[i].heap)
            regions[i].end = taken->heap_end;
    if (!keep_always() || !protect_all(PROT_READ))
        disturb();
    return !disturbed;
}

bool snapshot_is_possible(void)
{
    return surveyed && !disturbed;
}

bool snapshot_is_taken(void)
{
    return taken && !disturbed;
}

static void release(void)
{
    if (!protect_all(PROT_READ | PROT_WRITE))
        abort();
    syscall(SYS_munmap, taken, sizeof(*taken));
    taken = NULL;
    life = life * LIFE_GROWTH < LIFE_MAX ? life * LIFE_GROWTH : LIFE_MAX;
}

static void learn_anew(void)
{
    taken->copies = taken->always;
    taken->blanks = taken->blanks_copied = 0;
    if (!protect_all(PROT_READ))
        disturb();
}

bool snapshot_roll_back(void)
{
    if (!snapshot_is_taken())
        return false;
    struct snapshot *snapshot = taken;
    for (size_t i = 0; i < snapshot->always; i++) /* to write to code that is unchanged would be dear */
        if (memcmp((void *)snapshot->page[i], snapshot->copy[i], PAGE) != 0)
            memcpy((void *)snapshot->page[i], snapshot->copy[i], PAGE);
    for (size_t i = snapshot->always; i < snapshot->copies; i++)
        memcpy((void *)snapshot->page[i], snapshot->copy[i], PAGE);
    for (size_t i = 0; i < snapshot->blanks; i++)
        syscall(SYS_madvise, snapshot->blank[i].start, snapshot->blank[i].end - snapshot->blank[i].start, MADV_DONTNEED);
    for (size_t i = 0; i < snapshot->mappings; i++)
        syscall(SYS_munmap, snapshot->mapping[i].start, snapshot->mapping[i].end - snapshot->mapping[i].start);
    snapshot->mappings = 0;
    syscall(SYS_brk, snapshot->heap_end);
    if (++snapshot->calls == life) {
        release();
        return false;
    }
    if (snapshot->calls % LEARN_EVERY == 0 && snapshot->copies > snapshot->always + COPIES_USUAL)
        learn_anew();
    return true;
}

void snapshot_will_write(void *data, size_t size)
{
    if (!snapshot_is_taken())
        return;
    volatile char *byte = data;
    for (size_t at = 0; at < size; at += PAGE)
        byte[at] = byte[at];
    if (size)
        byte[size - 1] = byte[size - 1];
}

static bool is_known(uintptr_t start, size_t size)
{
    for (size_t i = 0; i < region_count; i++)
        if (start < regions[i].end && regions[i].start < start + size)
            return true;
    return false;
}

/* A mapping is one region more before the snapshot; what is made after it is unmapped again. */
static void note_mapping(uintptr_t start, size_t size, int rights, int flags)
{
    uintptr_t end = page_of((void *)(start + size + PAGE - 1));
    if (taken && taken->mappings < MAPPINGS_MAX)
        taken->mapping[taken->mappings++] = (struct range){start, end};
    else if (!taken && region_count < REGIONS_MAX && rights == (PROT_READ | PROT_WRITE) && flags & MAP_PRIVATE)
        regions[region_count++] = (struct region){.start = start, .end = end, .anonymous = flags & MAP_ANONYMOUS};
    else
        disturb();
}

static void note_unmapping(uintptr_t start, size_t size)
{
    uintptr_t end = page_of((void *)(start + size + PAGE - 1));
    for (size_t i = 0; i < region_count && !taken; i++) {
        if (regions[i].start == start && regions[i].end == end) {
            regions[i] = regions[--region_count];
            return;
        }
    }
    if (is_known(start, size))
        disturb();
}

/* In place of the C library's. */

/* Under both its names: the headers rename it, the engine was built without. */
void *mmap_by_its_name(void *address, size_t size, int rights, int flags, int fd, off_t offset) __asm__("mmap");

void *mmap_by_its_name(void *address, size_t size, int rights, int flags, int fd, off_t offset)
{
    bool watched = surveyed && !disturbed;
    if (watched && flags & MAP_FIXED && is_known((uintptr_t)address, size))
        disturb();
    long memory = syscall(SYS_mmap, address, size, rights, flags, fd, offset);
    if (watched && memory != -1)
        note_mapping((uintptr_t)memory, size, rights, flags);
    return (void *)memory;
}

void *mmap(void *address, size_t size, int rights, int flags, int fd, off_t offset)
{
    return mmap_by_its_name(address, size, rights, flags, fd, offset);
}

int munmap(void *address, size_t size)
{
    if (surveyed && !disturbed)
        note_unmapping((uintptr_t)address, size);
    return (int)syscall(SYS_munmap, address, size);
}

int mprotect(void *address, size_t size, int rights)
{
    if (is_known((uintptr_t)address, size))
        disturb();
    return (int)syscall(SYS_mprotect, address, size, rights);
}

int madvise(void *address, size_t size, int advice)
{
    bool changes = advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
    if (taken && changes && is_known((uintptr_t)address, size))
        disturb();
    return (int)syscall(SYS_madvise, address, size, advice);
}

/* Not even the engine, which asks for it when memory is short: it would take from the heap. */
int malloc_trim(size_t pad)
{
    return 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    disturb();
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    return create(thread, attributes, start, argument);
}
