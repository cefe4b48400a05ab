/*
 * One process a data folder: an exclusive flock on the file `lock` in it, which the kernel gives back whatever way the process ends.
 */
#include "engines/data_folder.h"

#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char taken[4096]; /* the folder that this process holds; "" while none */
static int lock_file = -1;

static int lock_in(const char *folder, struct err *err)
{
    char path[sizeof taken + 8];
    snprintf(path, sizeof path, "%s/lock", folder);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return err_set(err, -errno, "data folder %s cannot be written: %s", folder, strerror(errno));
    if (flock(file, LOCK_EX | LOCK_NB) < 0) {
        int code = -errno;
        close(file);
        return code == -EWOULDBLOCK ? err_set(err, -EBUSY, "data folder %s is in use by another process", folder)
                                    : err_set(err, code, "data folder %s cannot be locked: %s", folder, strerror(-code));
    }
    if (lock_file >= 0)
        close(lock_file);
    lock_file = file;
    return 0;
}

int data_folder_take(struct err *err)
{
    const char *folder = settings_text("data");
    if (!strcmp(folder, taken) && access(folder, W_OK) == 0)
        return 0;
    if (strlen(folder) == 0 || strlen(folder) >= sizeof taken)
        return err_set(err, -EINVAL, "PURSER_DATA should be a path of 1 to %zu bytes", sizeof taken - 1);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_set(err, -errno, "data folder %s cannot be made: %s", folder, strerror(errno));
    int code = lock_in(folder, err);
    if (code == 0)
        snprintf(taken, sizeof taken, "%s", folder);
    return code;
}
