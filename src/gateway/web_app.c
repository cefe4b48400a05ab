/*
 * Which set of files is served. The lock covers the moment in which a request takes its reference; paths of the API never come to it.
 */
#include "gateway/web_app.h"

#include "base/log.h"
#include "base/settings.h"
#include "gateway/static_files.h"
#include "runtime/pool.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct static_files *served;
static bool reading, again; /* worker 0's */

static struct static_files *take(void)
{
    pthread_mutex_lock(&lock);
    struct static_files *files = static_files_ref(served);
    pthread_mutex_unlock(&lock);
    return files;
}

static void put(struct static_files *files)
{
    pthread_mutex_lock(&lock);
    struct static_files *former = served;
    served = files;
    pthread_mutex_unlock(&lock);
    static_files_unref(former);
}

/* build/web beside build/purser; false: that has no name. */
static bool name_folder_beside_us(char ret_folder[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", ret_folder, PATH_MAX - 5);
    if (size <= 0)
        return false;
    ret_folder[size] = '\0';
    char *slash = strrchr(ret_folder, '/');
    if (!slash || slash + 5 - ret_folder >= PATH_MAX)
        return false;
    memcpy(slash, "/web", 5);
    return true;
}

/* The one that was named, or the one beside us. False: there is none. */
static bool find_folder(char ret_folder[PATH_MAX])
{
    const char *set = settings_text("web");
    if (strcmp(set, "off") == 0)
        return false;
    if (*set)
        return snprintf(ret_folder, PATH_MAX, "%s", set) < PATH_MAX;
    return name_folder_beside_us(ret_folder) && access(ret_folder, R_OK) == 0;
}

void web_app_say_if_none(void)
{
    char folder[PATH_MAX];
    if (!*settings_text("web") && !find_folder(folder) && name_folder_beside_us(folder))
        log_info("no web app here: the API works without it", "{s:s}", "looked_for", folder);
}

/* What is served becomes what is in the folder; where it cannot be read it stays. */
static int load(struct err *err)
{
    char folder[PATH_MAX];
    struct static_files *files = NULL, *former = take();
    int error = find_folder(folder) ? static_files_load(folder, former, &files, err) : 0;
    static_files_unref(former);
    if (!error)
        put(files);
    return error;
}

int web_app_start(struct err *err)
{
    return load(err);
}

static void release(void *files)
{
    static_files_unref(files);
}

/* What is served, which stays as long as the arena; NULL: nothing. */
static struct static_files *held(struct arena *arena)
{
    struct static_files *files = take();
    if (files)
        arena_defer(arena, release, files);
    return files;
}

bool web_app_answer(const struct http_request *request, struct http_response *response)
{
    if (text_starts(request->path, text_of("/api/")))
        return false;
    return static_files_answer(held(response->arena), request, response);
}

void web_app_refuse(const struct http_request *request, struct http_response *response)
{
    static_files_refuse(held(response->arena), request, response);
}

static void load_again(void *unused)
{
    (void)unused;
    struct err err = {0};
    if (load(&err))
        log_warn("the web app stays as it was", "{s:s}", "why", err.message);
    else
        log_info("web app read again", NULL);
    web_app_say_if_none();
}

static FIBER_FN void reload(void *unused)
{
    (void)unused;
    struct pool *pool = pool_new("web files", 1, 1);
    do {
        again = false;
        if (!pool || pool_run(pool, load_again, NULL))
            log_warn("the web app stays as it was", "{s:s}", "why", "there is no thread to read it");
    } while (again);
    pool_free(pool);
    reading = false;
}

void web_app_reload(void)
{
    again = true;
    if (reading)
        return;
    reading = true;
    if (fiber_start("web files", reload, NULL))
        reading = false;
}
