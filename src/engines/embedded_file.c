/* Ranges, and the loops that consume them (see the header). */
#include "engines/embedded_file.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_PAUSE_MS 500

/* ---- ranges ---- */

static struct embedded_range *range_new(const struct embedded_file *file, const char *name)
{
    struct embedded_range *range = calloc(1, file->kind->range_size);
    if (!range || !(range->name = strdup(name))) {
        free(range);
        return NULL;
    }
    pthread_mutex_init(&range->lock, NULL);
    return range;
}

static struct embedded_range *range_named(struct embedded_file *file, const char *name)
{
    pthread_mutex_lock(&file->lock);
    struct embedded_range *range = file->ranges;
    while (range && strcmp(range->name, name))
        range = range->next;
    if (!range && (range = range_new(file, name))) {
        range->next = file->ranges;
        file->ranges = range;
    }
    pthread_mutex_unlock(&file->lock);
    return range;
}

struct finding {
    const struct embedded_kind *kind;
    const char *name;
    int64_t number, last_place;
};

static int find_range(struct transaction *tx, void *arg)
{
    struct finding *found = arg;
    struct rows rows;
    int code = sql_run(tx, found->kind->add_range, "t", found->name);
    if (code >= 0)
        code = sql_query(tx, &rows, found->kind->find_range, "t", found->name);
    if (code < 0)
        return code;
    found->number = rows_integer(&rows, 0, 0);
    found->last_place = rows_integer(&rows, 0, 1);
    return 0;
}

struct embedded_range *embedded_range_open(struct embedded_file *file, const char *name, int *ret_code)
{
    struct embedded_range *range = range_named(file, name);
    *ret_code = range ? 0 : -ENOMEM;
    if (!range || __atomic_load_n(&range->number, __ATOMIC_ACQUIRE))
        return range;
    struct finding found = {.kind = file->kind, .name = name};
    *ret_code = database_transact(file->database, find_range, &found);
    if (*ret_code < 0)
        return NULL;
    pthread_mutex_lock(&file->lock);
    if (!range->number) {
        range->found_place = range->last_place = found.last_place;
        __atomic_store_n(&range->number, found.number, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&file->lock);
    return range;
}

/* ---- loops ---- */

static void open_apart(void *arg)
{
    struct embedded_loop *loop = arg;
    loop->code = loop->file->kind->open(loop);
}

static void deliver_apart(void *arg)
{
    struct embedded_loop *loop = arg;
    loop->code = loop->file->kind->deliver(loop);
}

static FIBER_FN int run_apart(struct embedded_loop *loop, const char *name, void (*run)(void *arg))
{
    int code = fiber_run_apart(name, run, loop);
    return code < 0 ? code : loop->code;
}

static FIBER_FN bool open_loop(struct embedded_loop *loop)
{
    struct embedded_file *file = loop->file;
    while (!atomic_load(&file->stopping)) {
        if (run_apart(loop, file->kind->open_name, open_apart) >= 0) {
            atomic_store(&loop->open, true);
            return true;
        }
        wakeup_wait(&loop->wakeup, clock_mono_ms() + OPEN_PAUSE_MS);
    }
    return false;
}

static FIBER_FN void loop_main(void *arg)
{
    struct embedded_loop *loop = arg;
    struct embedded_file *file = loop->file;
    const struct embedded_kind *kind = file->kind;
    bool is_open = open_loop(loop);
    while (is_open && !atomic_load(&file->stopping)) {
        loop->handled = 0;
        kind->rest(loop, run_apart(loop, kind->batch_name, deliver_apart));
    }
    if (is_open && kind->end)
        kind->end(loop);
    if (atomic_fetch_sub(&file->running, 1) == 1)
        wakeup_ring(&file->stopped);
}

static void enlist(struct embedded_file *file, struct embedded_loop *loop)
{
    pthread_mutex_lock(&file->lock);
    loop->next = file->loops;
    file->loops = loop;
    pthread_mutex_unlock(&file->lock);
}

static void strike_off(struct embedded_file *file, struct embedded_loop *loop)
{
    struct embedded_loop **at = &file->loops;
    pthread_mutex_lock(&file->lock);
    while (*at != loop)
        at = &(*at)->next;
    *at = loop->next;
    pthread_mutex_unlock(&file->lock);
}

int embedded_loop_start(struct embedded_file *file, struct embedded_loop *loop)
{
    loop->file = file;
    enlist(file, loop); /* first: it begins at once, and has to hear of what is new */
    atomic_store(&file->stopping, false);
    atomic_fetch_add(&file->running, 1);
    int code = fiber_start(file->kind->loop_name, loop_main, loop);
    if (code == 0)
        return 0;
    atomic_fetch_sub(&file->running, 1);
    strike_off(file, loop);
    return code;
}

void embedded_ring(struct embedded_file *file, const struct embedded_range *range)
{
    pthread_mutex_lock(&file->lock);
    for (struct embedded_loop *loop = file->loops; loop; loop = loop->next)
        if (!range || !atomic_load(&loop->open) || !loop->waits_for || loop->waits_for == range)
            wakeup_ring(&loop->wakeup);
    pthread_mutex_unlock(&file->lock);
}

void embedded_stop(struct embedded_file *file)
{
    atomic_store(&file->stopping, true);
    embedded_ring(file, NULL);
    while (atomic_load(&file->running))
        wakeup_wait_uninterrupted(&file->stopped);
}

/* ---- the whole ---- */

int embedded_file_open(struct embedded_file *file, const struct embedded_kind *kind, struct err *err)
{
    int code = sqlite_file_open(kind->name, kind->schema, &file->database, err);
    if (code < 0)
        return code;
    file->kind = kind;
    pthread_mutex_init(&file->lock, NULL);
    return 0;
}

void embedded_file_close(struct embedded_file *file)
{
    embedded_stop(file);
    database_close(file->database);
    for (struct embedded_loop *loop; (loop = file->loops);) {
        file->loops = loop->next;
        file->kind->free(loop);
    }
    for (struct embedded_range *range; (range = file->ranges);) {
        file->ranges = range->next;
        pthread_mutex_destroy(&range->lock);
        free(range->name);
        free(range);
    }
    pthread_mutex_destroy(&file->lock);
}
