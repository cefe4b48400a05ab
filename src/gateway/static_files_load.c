/*
 * Reads the web app's files into a set. A file may have compressed forms beside it (x.js.br, x.js.gz), made when the app was built; nothing
 * is compressed here.
 */
#include "gateway/static_files_set.h"

#include <errno.h>
#include <fts.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES_MAX 4096
#define BYTES_MAX (64u * 1024 * 1024)
#define HASH_BYTES 12
#define NAME_HASH_LENGTH 8

static const char *const suffixes[FORM_COUNT] = {[FORM_PLAIN] = "", [FORM_GZIP] = ".gz", [FORM_BROTLI] = ".br"};

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},         {".svg", "image/svg+xml"},                 {".woff2", "font/woff2"},
    {".png", "image/png"},                 {".ico", "image/x-icon"},                  {".txt", "text/plain; charset=utf-8"},
};

static bool has_suffix(const char *string, size_t size, const char *suffix)
{
    size_t length = strlen(suffix);
    return size > length && memcmp(string + size - length, suffix, length) == 0;
}

static const char *content_type_of(const char *path)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (has_suffix(path, strlen(path), types[i].suffix))
            return types[i].type;
    return "application/octet-stream";
}

static bool is_base64url(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Whether the name ends in "-XXXXXXXX.ext", as the build names what it hashes. */
static bool is_hashed(const char *path)
{
    const char *name = strrchr(path, '/');
    const char *dot = strrchr(path, '.');
    if (!name || !dot || dot - name < NAME_HASH_LENGTH + 2 || dot[-NAME_HASH_LENGTH - 1] != '-')
        return false;
    for (const char *c = dot - NAME_HASH_LENGTH; c < dot; c++)
        if (!is_base64url(*c))
            return false;
    return true;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static struct file *find_loaded(struct static_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->list[i].path, path) == 0)
            return &files->list[i];
    return NULL;
}

/* The entry for `path`, made if it is new. NULL when memory is short or there are too many. */
static struct file *entry_for(struct static_files *files, const char *path)
{
    struct file *known = find_loaded(files, path);
    if (known || files->count == FILES_MAX)
        return known;
    char *copy = strdup(path);
    if (!copy)
        return NULL;
    struct file *file = &files->list[files->count++];
    *file = (struct file){.path = copy, .content_type = content_type_of(path), .hashed = is_hashed(path)};
    file->page = strncmp(file->content_type, "text/html", 9) == 0;
    return file;
}

static int read_whole(const char *name, size_t size, struct text *ret_body)
{
    FILE *stream = fopen(name, "rbe");
    if (!stream)
        return -errno;
    char *bytes = malloc(size + 1);
    size_t got = bytes ? fread(bytes, 1, size, stream) : 0;
    int result = !bytes ? -ENOMEM : got != size ? -EIO : 0;
    (void)fclose(stream);
    if (result < 0)
        free(bytes);
    else
        *ret_body = (struct text){bytes, size};
    return result;
}

/* A strong validator: another one for each form, since their bytes differ. */
static void make_etag(struct text body, enum form form, char *ret_etag)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[2 * HASH_BYTES + 1];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)body.at, body.size, NULL, 0);
    hex_encode(hash, HASH_BYTES, hex);
    (void)snprintf(ret_etag, STATIC_ETAG_MAX, "\"%s%s%s\"", hex, form == FORM_PLAIN ? "" : "-", form == FORM_PLAIN ? "" : suffixes[form] + 1);
}

/* Splits "x.js.br" into "x.js" and its form, in place. */
static enum form take_form(char *path)
{
    size_t size = strlen(path);
    for (enum form form = FORM_GZIP; form < FORM_COUNT; form++) {
        if (!has_suffix(path, size, suffixes[form]))
            continue;
        path[size - strlen(suffixes[form])] = '\0';
        return form;
    }
    return FORM_PLAIN;
}

static int add_file(struct static_files *files, const char *name, const char *path, size_t size, struct err *err)
{
    char *plain = strdup(path);
    if (!plain)
        return err_set(err, -ENOMEM, "out of memory");
    enum form form = take_form(plain);
    struct file *file = entry_for(files, plain);
    free(plain);
    if (!file)
        return err_set(err, -ENOSPC, "more than %d files, or out of memory", FILES_MAX);
    int result = read_whole(name, size, &file->bodies[form]);
    if (result < 0)
        return err_set(err, result, "%s: %s", name, strerror(-result));
    make_etag(file->bodies[form], form, file->etags[form]);
    return 0;
}

static int walk(FTS *tree, size_t root_length, struct static_files *files, struct err *err)
{
    size_t total = 0;
    for (FTSENT *entry = fts_read(tree); entry; entry = fts_read(tree)) {
        if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS)
            return err_set(err, -entry->fts_errno, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
        if (entry->fts_info != FTS_F)
            continue;
        size_t size = (size_t)entry->fts_statp->st_size;
        total += size;
        if (total > BYTES_MAX)
            return err_set(err, -EFBIG, "more than %u MB", BYTES_MAX / 1024 / 1024);
        int result = add_file(files, entry->fts_accpath, entry->fts_path + root_length, size, err);
        if (result < 0)
            return result;
    }
    return 0;
}

/* A compressed form without its plain one cannot be served to everybody. */
static void drop_incomplete(struct static_files *files)
{
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        struct file *file = &files->list[i];
        if (file->bodies[FORM_PLAIN].at) {
            files->list[kept++] = *file;
            continue;
        }
        for (enum form form = 0; form < FORM_COUNT; form++)
            free((char *)file->bodies[form].at);
        free(file->path);
    }
    files->count = kept;
}

/* Copies, so that each set stands alone. */
static int copy_file(struct static_files *files, const struct file *file, struct err *err)
{
    struct file *copy = entry_for(files, file->path);
    if (!copy)
        return err_set(err, -ENOSPC, "more than %d files, or out of memory", FILES_MAX);
    copy->former = true;
    memcpy(copy->etags, file->etags, sizeof copy->etags);
    for (enum form form = 0; form < FORM_COUNT; form++) {
        if (!file->bodies[form].at)
            continue;
        char *bytes = malloc(file->bodies[form].size + 1);
        if (!bytes)
            return err_set(err, -ENOMEM, "out of memory");
        memcpy(bytes, file->bodies[form].at, file->bodies[form].size);
        copy->bodies[form] = (struct text){bytes, file->bodies[form].size};
    }
    return 0;
}

/* Pages that are open in browsers ask for the files they were built with. */
static int take_former(struct static_files *files, const struct static_files *former, struct err *err)
{
    for (size_t i = 0; former && i < former->count; i++) {
        const struct file *file = &former->list[i];
        if (!file->hashed || file->former || find_loaded(files, file->path))
            continue;
        int result = copy_file(files, file, err);
        if (result < 0)
            return result;
    }
    return 0;
}

static int load_into(struct static_files *files, const char *folder, const struct static_files *former, struct err *err)
{
    char *roots[] = {(char *)folder, NULL};
    size_t root_length = strlen(folder);
    while (root_length > 1 && folder[root_length - 1] == '/')
        root_length--;
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (!tree)
        return err_set(err, -errno, "%s: %s", folder, strerror(errno));
    int result = walk(tree, root_length, files, err);
    (void)fts_close(tree);
    if (result < 0)
        return result;
    drop_incomplete(files);
    result = take_former(files, former, err);
    if (result < 0)
        return result;
    qsort(files->list, files->count, sizeof *files->list, by_path);
    if (!find_loaded(files, "/index.html"))
        return err_set(err, -ENOENT, "%s has no index.html", folder);
    return 0;
}

int static_files_load(const char *folder, const struct static_files *former, struct static_files **ret_files, struct err *err)
{
    struct static_files *files = calloc(1, sizeof *files);
    if (files)
        files->list = calloc(FILES_MAX, sizeof *files->list);
    if (files)
        files->references = 1;
    if (!files || !files->list) {
        static_files_unref(files);
        return err_set(err, -ENOMEM, "out of memory");
    }
    int result = load_into(files, folder, former, err);
    if (result < 0) {
        static_files_unref(files);
        return result;
    }
    struct file *fitting = realloc(files->list, files->count * sizeof *files->list);
    if (fitting)
        files->list = fitting;
    *ret_files = files;
    return 0;
}
