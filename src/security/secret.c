/*
 * The installation's secret. A file that is made here is written under another name, synced and renamed, so that a crash leaves a whole file or
 * none: with half a secret nothing that was sealed would open again.
 */
#include "security/secret.h"

#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_BYTES 32
#define SECRET_SIZE (2 * SECRET_BYTES + 1)
#define PATH_SIZE 4096

static char from_file[SECRET_SIZE];

static int read_file(const char *path)
{
    char line[SECRET_SIZE + 1] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    ssize_t size = read(file, line, sizeof line - 1);
    close(file);
    if (size < 0)
        return -EIO;
    line[strcspn(line, "\n")] = '\0';
    if (strlen(line) != SECRET_SIZE - 1)
        return -EINVAL;
    memcpy(from_file, line, SECRET_SIZE);
    return 0;
}

static int sync_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = folder < 0 || fsync(folder) ? -errno : 0;
    if (folder >= 0)
        close(folder);
    return result;
}

static int write_line(const char *path, const char *hex)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return -errno;
    int result = dprintf(file, "%s\n", hex) == SECRET_SIZE && fsync(file) == 0 ? 0 : -EIO;
    if (close(file))
        result = -EIO;
    return result;
}

static int make_file(const char *folder, const char *path)
{
    unsigned char bytes[SECRET_BYTES];
    char hex[SECRET_SIZE], fresh[PATH_SIZE + 8];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int result = write_line(fresh, hex);
    if (!result && rename(fresh, path))
        result = -errno;
    if (!result)
        result = sync_folder(folder);
    if (!result)
        memcpy(from_file, hex, sizeof from_file);
    return result;
}

int secret_load(const char **ret_secret, struct err *err)
{
    const char *given = settings_text("key_secret"), *folder = settings_text("data");
    char path[PATH_SIZE];
    if (*given) {
        *ret_secret = given;
        return 0;
    }
    if (snprintf(path, sizeof path, "%s/key.secret", folder) >= (int)sizeof path)
        return err_set(err, -ENAMETOOLONG, "PURSER_DATA is too long");
    int error = read_file(path);
    if (error == -ENOENT)
        error = make_file(folder, path);
    if (error == -EINVAL)
        return err_set(err, error, "%s holds no secret: put back the file that belongs to this data, or set PURSER_KEY_SECRET", path);
    if (error)
        return err_set(err, error, "%s: %s; set PURSER_KEY_SECRET or give a writable PURSER_DATA", path, strerror(-error));
    *ret_secret = from_file;
    return 0;
}
