/* After snapshot_take all memory is protected from writing. The first write to a page comes to on_write(), which keeps a
 * copy and lets the page be written from then on; rolling back copies it back. A function writes to much the same pages in
 * each call, so after a few calls no page is missed any more, and rolling back is a hundred pages to copy.
 *
 * The stack is not rolled back: nobody looks below its end. What is mapped after the snapshot is unmapped. Whatever else
 * changes the map of memory, or starts a thread, ends the snapshot first: stand_ins.c sees to that. */
#include "function_host/snapshot.h"

#include "function_host/regions.h"
#include "function_host/stand_ins.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define MAPPINGS_MAX 1024u
/* They count as the function's memory, so there are few: 8 MB. Who writes to more gains little by it. */
#define COPIES_MAX 2048u
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

static bool surveyed, disturbed;
static unsigned life = LIFE_FIRST; /* of the next snapshot, in calls */
static struct snapshot *taken;
static struct sigaction former;

static void on_write(int signal_number, siginfo_t *info, void *machine);

void snapshot_survey(int proc_fd)
{
    mallopt(M_MMAP_MAX, 0); /* what the C library maps by itself would not be seen */
    /* A sealed process cannot set a handler. */
    struct sigaction action = {.sa_sigaction = on_write, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, &former);
    surveyed = regions_survey(proc_fd);
}

/* System calls by number: stand_ins.c would take them for somebody else's. */
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
    const struct region *region;
    for (size_t i = 0; (region = regions_at(i)); i++) {
        struct range open = thread_part(region);
        if (!region->code)
            done &= protect(region->start, open.start, rights) && protect(open.end, region->end, rights);
    }
    return done;
}

static void drop_copies(void)
{
    syscall(SYS_munmap, taken, sizeof(*taken));
    taken = NULL;
}

void snapshot_disturb(void)
{
    if (!surveyed || disturbed)
        return;
    if (taken) {
        protect_all(PROT_READ | PROT_WRITE);
        drop_copies();
    }
    disturbed = true;
}

static void on_write(int signal_number, siginfo_t *info, void *machine)
{
    int error = errno;
    uintptr_t page = page_of(info->si_addr);
    const struct region *region = snapshot_is_taken() && info->si_code == SEGV_ACCERR ? regions_find(page, page + PAGE) : NULL;
    if (region && !region->code) {
        if (!keep(page, region) || !protect(page, page + PAGE, PROT_READ | PROT_WRITE))
            snapshot_disturb();
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
    const struct region *region;
    for (size_t i = 0; (region = regions_at(i)); i++) {
        struct range open = thread_part(region);
        for (uintptr_t page = open.start; page < open.end; page += PAGE)
            keep_copy(page);
        if (region->code && !keep_code(region))
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
    struct region *region;
    for (size_t i = 0; (region = regions_at(i)); i++)
        if (region->heap)
            region->end = taken->heap_end;
    if (!keep_always() || !protect_all(PROT_READ))
        snapshot_disturb();
    return !disturbed;
}

bool snapshot_is_possible(void)
{
    return surveyed && !disturbed;
}

bool snapshot_is_taken(void)
{
    return taken != NULL;
}

static void release(void)
{
    if (!protect_all(PROT_READ | PROT_WRITE))
        abort();
    drop_copies();
    life = life * LIFE_GROWTH < LIFE_MAX ? life * LIFE_GROWTH : LIFE_MAX;
}

static void learn_anew(void)
{
    taken->copies = taken->always;
    taken->blanks = taken->blanks_copied = 0;
    if (!protect_all(PROT_READ))
        snapshot_disturb();
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

/* The pages that it has a part of. */
static struct range pages_of(const void *address, size_t size)
{
    return (struct range){(uintptr_t)address, page_of((const char *)address + size + PAGE - 1)};
}

void snapshot_note_mapping(const void *address, size_t size, int rights, int flags)
{
    if (!snapshot_is_possible())
        return;
    struct range made = pages_of(address, size);
    if (taken && taken->mappings < MAPPINGS_MAX) {
        taken->mapping[taken->mappings++] = made;
        return;
    }
    struct region region = {.start = made.start, .end = made.end, .anonymous = flags & MAP_ANONYMOUS};
    if (taken || rights != (PROT_READ | PROT_WRITE) || !(flags & MAP_PRIVATE) || !regions_add(region))
        snapshot_disturb();
}

void snapshot_note_unmapping(const void *address, size_t size)
{
    if (!snapshot_is_possible())
        return;
    struct range gone = pages_of(address, size);
    if (taken || !regions_remove(gone.start, gone.end))
        snapshot_note_change(address, size);
}

void snapshot_note_change(const void *address, size_t size)
{
    if (regions_find((uintptr_t)address, (uintptr_t)address + size))
        snapshot_disturb();
}
