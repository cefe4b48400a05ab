/* A short list: what may be executed, and the heap, are marked, since a snapshot treats them in another way. */
#include "function_host/regions.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define REGIONS_MAX 512u

static struct region regions[REGIONS_MAX];
static size_t region_count;

bool regions_add(struct region region)
{
    if (region_count == REGIONS_MAX)
        return false;
    regions[region_count++] = region;
    return true;
}

/* A line of /proc/self/maps. */
static bool add_line(const char *line)
{
    unsigned long start, end, inode;
    char rights[5], path[32] = "";
    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %31s", &start, &end, rights, &inode, path) < 4)
        return true;
    if (rights[1] != 'w' || rights[3] != 'p' || !strcmp(path, "[stack]"))
        return true;
    return regions_add((struct region){
        .start = start,
        .end = end,
        .anonymous = inode == 0,
        .code = rights[2] == 'x',
        .heap = !strcmp(path, "[heap]"),
    });
}

bool regions_survey(int proc_fd)
{
    int fd = openat(proc_fd, "self/maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
    if (!maps)
        return false;
    char line[512];
    bool room = true;
    while (room && fgets(line, sizeof(line), maps))
        room = add_line(line);
    fclose(maps);
    return room;
}

bool regions_remove(uintptr_t start, uintptr_t end)
{
    for (size_t i = 0; i < region_count; i++) {
        if (regions[i].start == start && regions[i].end == end) {
            regions[i] = regions[--region_count];
            return true;
        }
    }
    return false;
}

struct region *regions_at(size_t i)
{
    return i < region_count ? &regions[i] : NULL;
}

const struct region *regions_find(uintptr_t start, uintptr_t end)
{
    for (size_t i = 0; i < region_count; i++)
        if (start < regions[i].end && regions[i].start < end)
            return &regions[i];
    return NULL;
}
