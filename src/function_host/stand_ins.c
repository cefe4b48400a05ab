/* Functions in place of the C library's, for the whole process, engine and libraries too: those that change the map of memory or
 * start a thread. Each tells the snapshot, and then does what it is called for. */
#include "function_host/stand_ins.h"

#include "function_host/snapshot.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Under both its names: the headers rename it, the engine was built without. */
void *mmap_by_its_name(void *address, size_t size, int rights, int flags, int fd, off_t offset) __asm__("mmap");

void *mmap_by_its_name(void *address, size_t size, int rights, int flags, int fd, off_t offset)
{
    if (flags & MAP_FIXED)
        snapshot_note_change(address, size);
    long memory = syscall(SYS_mmap, address, size, rights, flags, fd, offset);
    if (memory != -1)
        snapshot_note_mapping((void *)memory, size, rights, flags);
    return (void *)memory;
}

void *mmap(void *address, size_t size, int rights, int flags, int fd, off_t offset)
{
    return mmap_by_its_name(address, size, rights, flags, fd, offset);
}

int munmap(void *address, size_t size)
{
    snapshot_note_unmapping(address, size);
    return (int)syscall(SYS_munmap, address, size);
}

int mprotect(void *address, size_t size, int rights)
{
    snapshot_note_change(address, size);
    return (int)syscall(SYS_mprotect, address, size, rights);
}

int madvise(void *address, size_t size, int advice)
{
    bool changes = advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
    if (changes && snapshot_is_taken())
        snapshot_note_change(address, size);
    return (int)syscall(SYS_madvise, address, size, advice);
}

/* Not even the engine, which asks for it when memory is short: it would take from the heap. */
int malloc_trim(size_t pad)
{
    return 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    snapshot_disturb();
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    return create(thread, attributes, start, argument);
}
