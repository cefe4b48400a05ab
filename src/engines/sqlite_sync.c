/*
 * After a failed sync the kernel may have dropped the pages that it could not write: going on, and even syncing again, would answer for what a
 * restart does not find. SQLite reports such a failure at a commit, but passes over it in a checkpoint at closing and after a new
 * file in its folder. Here each is the process's last line, at the place where it happens; a restart recovers what the log holds.
 *
 * It is a copy of SQLite's own file system. Each open file carries a copy of its table of methods with one of them replaced, and folders
 * are synced here, since SQLite's sync of them returns nothing.
 */
#include "engines/sqlite_sync.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* Behind the file of SQLite's own file system, in the same memory. */
struct watched {
    const char *path; /* SQLite's, until the file is closed */
    const sqlite3_io_methods *own;
    sqlite3_io_methods methods;
};

static sqlite3_vfs file_system; /* what it was, but for xOpen and szOsFile */
static sqlite3_vfs *own;

static struct watched *watched_of(sqlite3_file *file)
{
    return (struct watched *)((char *)file + file_system.szOsFile - sizeof(struct watched));
}

static _Noreturn void end(const char *path, int error)
{
    log_fatal("a sync of a database file failed", "{s:s, s:s}", "file", path ? path : "", "why", strerror(error));
}

static int sync_file(sqlite3_file *file, int flags)
{
    struct watched *watched = watched_of(file);
    int code = watched->own->xSync(file, flags);
    if (code != SQLITE_OK)
        end(watched->path, errno);
    return code;
}

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
    int code = own->xOpen(vfs, path, file, flags, ret_flags);
    if (code != SQLITE_OK || !file->pMethods)
        return code;
    struct watched *watched = watched_of(file);
    *watched = (struct watched){path, file->pMethods, *file->pMethods};
    watched->methods.xSync = sync_file;
    file->pMethods = &watched->methods;
    return code;
}

/* Called where SQLite would sync the folder of a file that it has made or deleted: afterwards there is nothing for it to do. */
static int sync_folder(const char *path, int *ret_descriptor)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_SIZE];
    int size = slash ? snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path) : snprintf(folder, sizeof folder, ".");
    if (size >= (int)sizeof folder)
        end(path, ENAMETOOLONG);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) < 0)
        end(folder, errno);
    close(descriptor);
    *ret_descriptor = -1;
    return SQLITE_CANTOPEN; /* what SQLite takes for "no folder to be synced" */
}

void sqlite_sync_prepare(void)
{
    own = sqlite3_vfs_find(NULL);
    size_t aligned = alignof(struct watched);
    file_system = *own;
    file_system.zName = "purser";
    file_system.szOsFile = (int)(((size_t)own->szOsFile + aligned - 1) / aligned * aligned + sizeof(struct watched));
    file_system.xOpen = open_file;
    own->xSetSystemCall(own, "openDirectory", (sqlite3_syscall_ptr)sync_folder);
    sqlite3_vfs_register(&file_system, 1);
}
