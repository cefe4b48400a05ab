/*
 * `purser backup DIR` and `purser restore DIR`. A backup holds every database file of the data folder as of one moment, the key secret, and
 * the file `purser-backup`, which is written last and says that it is whole. It may be made while the system runs; a restore
 * owns the data folder.
 */
#include "base/settings.h"
#include "cli/cli.h"
#include "engines/data_folder.h"
#include "engines/sqlite_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define FILES_MAX 256
#define MARK "purser-backup"
#define SECRET "key.secret"

struct listing {
    const char *names[FILES_MAX];
    unsigned count;
};

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size > end_size && !strcmp(name + size - end_size, end);
}

static bool is_database(const char *name)
{
    return ends_with(name, ".db");
}

/* The databases and the secret: what a backup consists of. */
static bool is_data(const char *name)
{
    return is_database(name) || !strcmp(name, SECRET);
}

/* What a system leaves behind in its folder, besides the lock. */
static bool is_left(const char *name)
{
    return is_data(name) || ends_with(name, ".db-wal") || ends_with(name, ".db-shm") || ends_with(name, ".new") || ends_with(name, ".sock");
}

static bool is_anything(const char *name)
{
    return strcmp(name, ".") && strcmp(name, "..") && strcmp(name, "lock");
}

/* The names in a folder that are wanted; 0 or a status after one line. */
static int list_folder(struct arena *arena, const char *folder, bool (*wanted)(const char *name), struct listing *ret_listing)
{
    ret_listing->count = 0;
    DIR *open = opendir(folder);
    if (!open)
        return cli_fail(1, "%s cannot be read: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(open)) && ret_listing->count < FILES_MAX;)
        if (wanted(entry->d_name))
            ret_listing->names[ret_listing->count++] = arena_strdup(arena, entry->d_name);
    closedir(open);
    return 0;
}

static int sync_folder(const char *folder)
{
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = file < 0 || fsync(file) ? cli_fail(1, "%s cannot be synced: %s", folder, strerror(errno)) : 0;
    if (file >= 0)
        close(file);
    return result;
}

static int pour(int from, int to)
{
    char room[64 * 1024];
    ssize_t size;
    while ((size = read(from, room, sizeof room)) > 0)
        for (ssize_t done = 0, n; done < size; done += n)
            if ((n = write(to, room + done, (size_t)(size - done))) < 0)
                return -errno;
    return size < 0 || fsync(to) ? -errno : 0;
}

/* A durable copy; 0 or a status after one line. */
static int copy_file(struct arena *arena, const char *from_folder, const char *name, const char *to_path)
{
    const char *from_path = arena_printf(arena, "%s/%s", from_folder, name);
    int from = open(from_path, O_RDONLY | O_CLOEXEC), to = -1, code = from < 0 ? -errno : 0;
    if (!code && (to = open(to_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        code = -errno;
    if (!code)
        code = pour(from, to);
    if (from >= 0)
        close(from);
    if (to >= 0 && close(to) && !code)
        code = -errno;
    return code ? cli_fail(1, "%s cannot be copied to %s: %s", from_path, to_path, strerror(-code)) : 0;
}

/* ---- backup ---- */

static int make_empty_folder(struct arena *arena, const char *folder)
{
    struct listing there;
    if (mkdir(folder, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return cli_fail(1, "%s cannot be made: %s", folder, strerror(errno));
    int status = list_folder(arena, folder, is_anything, &there);
    return !status && there.count ? cli_fail(1, "%s is not empty: give a backup a folder of its own", folder) : status;
}

static int write_mark(struct arena *arena, const char *folder)
{
    const char *path = arena_printf(arena, "%s/" MARK, folder);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = file >= 0 && dprintf(file, "purser %s\n", PURSER_VERSION) > 0 && fsync(file) == 0;
    int code = errno;
    if (file >= 0)
        close(file);
    return written ? sync_folder(folder) : cli_fail(1, "%s cannot be written: %s", path, strerror(code));
}

static int back_up(struct arena *arena, const char *folder)
{
    const char *data = settings_text("data");
    struct listing files;
    struct err err;
    int status = list_folder(arena, data, is_database, &files);
    if (!status && !files.count)
        status = cli_fail(1, "there is no data in %s (PURSER_DATA)", data);
    if (!status)
        status = make_empty_folder(arena, folder);
    if (!status && sqlite_copy_files(data, folder, files.names, files.count, &err))
        status = cli_fail(1, "no backup was made: %s", err.message);
    bool secret = access(arena_printf(arena, "%s/" SECRET, data), F_OK) == 0;
    if (!status && secret)
        status = copy_file(arena, data, SECRET, arena_printf(arena, "%s/" SECRET, folder));
    if (!status)
        status = write_mark(arena, folder);
    if (!status)
        printf("%u databases%s are in %s.\n", files.count, secret ? " and the key secret" : "", folder);
    if (!status && *settings_text("key_secret"))
        printf("Keep PURSER_KEY_SECRET beside it: without it the signing keys cannot be read.\n");
    return status;
}

/* ---- restore ---- */

static int clear_data(struct arena *arena, const char *data, bool force)
{
    struct listing left;
    int status = list_folder(arena, data, force ? is_left : is_anything, &left);
    if (!status && left.count && !force)
        return cli_fail(1, "data folder %s is not empty: with --force what is in it is replaced", data);
    for (unsigned i = 0; i < left.count && !status; i++)
        if (!ends_with(left.names[i], ".new") && unlink(arena_printf(arena, "%s/%s", data, left.names[i])))
            status = cli_fail(1, "%s/%s cannot be removed: %s", data, left.names[i], strerror(errno));
    return status;
}

/* Everything is copied under other names before anything that is there goes. */
static int put_back(struct arena *arena, const char *folder, bool force)
{
    const char *data = settings_text("data");
    struct listing files, there;
    int status = list_folder(arena, folder, is_data, &files);
    if (!status)
        status = list_folder(arena, data, is_anything, &there);
    if (!status && there.count && !force)
        status = clear_data(arena, data, false);
    for (unsigned i = 0; i < files.count && !status; i++)
        status = copy_file(arena, folder, files.names[i], arena_printf(arena, "%s/%s.new", data, files.names[i]));
    if (!status && force)
        status = clear_data(arena, data, true);
    for (unsigned i = 0; i < files.count && !status; i++)
        if (rename(arena_printf(arena, "%s/%s.new", data, files.names[i]), arena_printf(arena, "%s/%s", data, files.names[i])))
            status = cli_fail(1, "%s cannot be put in place: %s", files.names[i], strerror(errno));
    if (!status)
        status = sync_folder(data);
    if (!status)
        printf("%u files are back in %s.\n", files.count, data);
    return status;
}

static int restore(struct arena *arena, const char *folder, bool force)
{
    struct err err;
    if (access(arena_printf(arena, "%s/" MARK, folder), F_OK))
        return cli_fail(1, "%s holds no whole backup", folder);
    if (data_folder_take(&err))
        return cli_fail(1, "%s", err.message);
    return put_back(arena, folder, force);
}

/* ---- the commands ---- */

/* Takes --force; where its parting took the folder for its value, *ret_folder gets that. */
static bool take_force(struct cli_arguments *arguments, const char **ret_folder)
{
    const char *value = cli_take_flag(arguments, "force");
    for (char **flag = arguments->flags; *flag && !value; flag++)
        if (!strcmp(*flag, "--force")) {
            for (char **rest = flag; *rest; rest++)
                rest[0] = rest[1];
            return true;
        }
    if (value && !*ret_folder)
        *ret_folder = value;
    return value != NULL;
}

static int run(struct cli_arguments *arguments, bool backup)
{
    const char *folder = arguments->word_count == 1 ? arguments->words[0] : NULL;
    bool force = !backup && take_force(arguments, &folder);
    if (!folder || arguments->word_count > 1)
        return cli_wrong_use(backup ? "backup" : "restore");
    if (!cli_load_settings(arguments))
        return 1;
    if (strncmp(settings_text("database_url"), "sqlite:", 7))
        return cli_fail(1, "the data are not in this machine's files (PURSER_DATABASE_URL): use the database's own tools");
    struct arena *arena = arena_new();
    if (!arena)
        return cli_fail(1, "out of memory");
    int status = backup ? back_up(arena, folder) : restore(arena, folder, force);
    arena_free(arena);
    return status;
}

int cli_backup(struct cli_arguments *arguments)
{
    return run(arguments, true);
}

int cli_restore(struct cli_arguments *arguments)
{
    return run(arguments, false);
}
