/*
 * The stream port inside the process: one SQLite file, stream.db, through the writer's lane that databases use. Its tables are
 * embedded_records.c, its topics ranges of one of them (embedded_file.h).
 *
 * A group has one position in each topic; it is kept in memory and written at most every 250 ms and at the end, so that after a crash the
 * last records come again (their readers recognise them). A group has one reader here: partitions only say which records share a key.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engines/embedded_records.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define COMMIT_EVERY_MS 250
#define TRIM_EVERY_MS (60 * 1000)

struct embedded_stream {
    struct stream base; /* first */
    struct embedded_file file;
    _Atomic int64_t trim_mono_ms;
};

struct reader {
    struct embedded_loop loop; /* first */
    struct embedded_stream *stream;
    char *group;
    struct stream_consumer wanted;
    struct embedded_topic *topics[STREAM_TOPICS_MAX];
    char *names[STREAM_TOPICS_MAX];
    unsigned topic_count;
    _Atomic int64_t position[STREAM_TOPICS_MAX]; /* the last offset handled */
    int64_t written[STREAM_TOPICS_MAX];
    int64_t write_mono_ms; /* not before */
};

static struct reader *reader_of(struct embedded_loop *loop)
{
    return (struct reader *)loop;
}

/* ---- topics ---- */

static void note_end(struct embedded_topic *topic, int64_t offset)
{
    int64_t known = atomic_load(&topic->end);
    while (offset > known && !atomic_compare_exchange_weak(&topic->end, &known, offset))
        ;
}

static FIBER_FN struct embedded_topic *topic_open(struct embedded_stream *stream, const char *name, int *ret_code)
{
    struct embedded_topic *topic = (struct embedded_topic *)embedded_range_open(&stream->file, name, ret_code);
    if (topic)
        note_end(topic, topic->range.found_place);
    return topic;
}

/* ---- publishing ---- */

static FIBER_FN int embedded_publish(struct stream *base, const struct stream_record *records, unsigned count)
{
    struct embedded_stream *stream = (struct embedded_stream *)base;
    struct records_publication publication = {
        .topics = arena_alloc(fiber_arena(), sizeof(struct embedded_topic *) * count),
        .offsets = arena_alloc(fiber_arena(), sizeof(int64_t) * count),
        .records = records,
        .count = count,
    };
    int code = 0;
    for (unsigned i = 0; i < count; i++)
        if (!(publication.topics[i] = topic_open(stream, records[i].topic, &code)))
            return code;
    code = database_transact(stream->file.database, records_publish, &publication);
    if (code < 0)
        return code;
    for (unsigned i = 0; i < count; i++)
        note_end(publication.topics[i], publication.offsets[i]);
    embedded_ring(&stream->file, NULL);
    return 0;
}

/* ---- positions ---- */

static bool has_moved(const struct reader *reader)
{
    for (unsigned i = 0; i < reader->topic_count; i++)
        if (atomic_load(&reader->position[i]) != reader->written[i])
            return true;
    return false;
}

static FIBER_FN void write_positions(void *arg)
{
    struct reader *reader = arg;
    int64_t at[STREAM_TOPICS_MAX];
    struct records_positions positions = {reader->group, reader->topics, reader->topic_count, at, reader->written};
    for (unsigned i = 0; i < reader->topic_count; i++)
        at[i] = atomic_load(&reader->position[i]);
    reader->write_mono_ms = clock_mono_ms() + COMMIT_EVERY_MS;
    if (database_transact(reader->stream->file.database, records_write_positions, &positions) >= 0)
        memcpy(reader->written, at, sizeof *at * reader->topic_count);
}

static FIBER_FN void write_positions_apart(struct reader *reader)
{
    fiber_run_apart("stream positions", write_positions, reader);
}

/* ---- delivering ---- */

static FIBER_FN int deliver_topic(struct reader *reader, unsigned at)
{
    struct embedded_topic *topic = reader->topics[at];
    int64_t position = atomic_load(&reader->position[at]);
    if (atomic_load(&topic->end) <= position)
        return 0;
    struct records_fetch fetch = {.range = &topic->range, .after = position, .limit = reader->wanted.batch_max};
    int code = database_read(reader->stream->file.database, records_read, &fetch);
    unsigned count = fetch.rows.count;
    if (code < 0 || !count)
        return code;
    struct stream_record *records = arena_alloc(fiber_arena(), sizeof *records * count);
    for (unsigned i = 0; i < count; i++)
        records[i] = records_row(&fetch, i);
    code = reader->wanted.handle(reader->wanted.context, records, count);
    if (code < 0)
        return code;
    atomic_store(&reader->position[at], records[count - 1].offset);
    reader->loop.handled += count;
    return 0;
}

/* One batch of each topic. */
static FIBER_FN int deliver(struct embedded_loop *loop)
{
    struct reader *reader = reader_of(loop);
    int code = 0;
    for (unsigned i = 0; i < reader->topic_count && code == 0; i++)
        code = deliver_topic(reader, i);
    if (clock_mono_ms() >= reader->write_mono_ms && has_moved(reader))
        write_positions(reader);
    return code;
}

/* ---- keeping the file small ---- */

static FIBER_FN void trim(void *arg)
{
    struct embedded_stream *stream = arg;
    if (database_transact(stream->file.database, records_trim, NULL) < 0)
        log_warn("old records of the stream could not be deleted", NULL);
}

static FIBER_FN void trim_sometimes(struct embedded_stream *stream)
{
    int64_t now = clock_mono_ms(), due = atomic_load(&stream->trim_mono_ms);
    if (now >= due && atomic_compare_exchange_strong(&stream->trim_mono_ms, &due, now + TRIM_EVERY_MS))
        fiber_run_apart("stream trim", trim, stream);
}

/* ---- a reader's life ---- */

static FIBER_FN int open_topics(struct embedded_loop *loop)
{
    struct reader *reader = reader_of(loop);
    struct records_positions positions = {.group = reader->group, .topics = reader->topics, .count = reader->topic_count, .at = reader->written};
    int code = 0;
    for (unsigned i = 0; i < reader->topic_count; i++)
        if (!(reader->topics[i] = topic_open(reader->stream, reader->names[i], &code)))
            return code;
    code = database_transact(loop->file->database, records_load_positions, &positions);
    for (unsigned i = 0; i < reader->topic_count && code == 0; i++)
        atomic_store(&reader->position[i], reader->written[i]);
    return code;
}

static FIBER_FN void wait_for_records(struct reader *reader, bool failed)
{
    struct wakeup *wakeup = &reader->loop.wakeup;
    int64_t now = clock_mono_ms(), until = now + TRIM_EVERY_MS;
    if (failed)
        until = now + STREAM_PAUSE_MS;
    else if (has_moved(reader))
        until = reader->write_mono_ms;
    if (until > now && wakeup_wait(wakeup, until) == 0 && failed)
        wakeup_wait(wakeup, until); /* new records don't shorten the pause */
    if (clock_mono_ms() >= reader->write_mono_ms && has_moved(reader))
        write_positions_apart(reader);
}

static FIBER_FN void rest(struct embedded_loop *loop, int code)
{
    struct reader *reader = reader_of(loop);
    trim_sometimes(reader->stream);
    if (code < 0 || !loop->handled)
        wait_for_records(reader, code < 0);
}

static FIBER_FN void end(struct embedded_loop *loop)
{
    if (has_moved(reader_of(loop)))
        write_positions_apart(reader_of(loop));
}

static void reader_free(struct embedded_loop *loop)
{
    struct reader *reader = reader_of(loop);
    for (unsigned i = 0; i < reader->topic_count; i++)
        free(reader->names[i]);
    free(reader->group);
    free(reader);
}

static const struct embedded_kind kind = {
    .name = "stream",
    .schema = records_schema,
    .range_size = sizeof(struct embedded_topic),
    .add_range = records_add_range,
    .find_range = records_find_range,
    .loop_name = "stream reader",
    .open_name = "stream start",
    .batch_name = "stream batch",
    .open = open_topics,
    .deliver = deliver,
    .rest = rest,
    .end = end,
    .free = reader_free,
};

/* ---- consuming ---- */

static struct reader *reader_new(struct embedded_stream *stream, const struct stream_consumer *wanted)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->stream = stream;
    reader->wanted = *wanted;
    bool whole = (reader->group = strdup(wanted->group)) != NULL;
    for (unsigned i = 0; wanted->topics[i] && i < STREAM_TOPICS_MAX && whole; i++, reader->topic_count++)
        whole = (reader->names[i] = strdup(wanted->topics[i])) != NULL;
    if (whole)
        return reader;
    reader_free(&reader->loop);
    return NULL;
}

/* Readers of a stream that was stopped are still listed, but none runs. */
static bool group_is_taken(struct embedded_file *file, const char *group)
{
    bool taken = false;
    pthread_mutex_lock(&file->lock);
    for (struct embedded_loop *loop = file->loops; loop && !taken; loop = loop->next)
        taken = !strcmp(reader_of(loop)->group, group) && atomic_load(&file->running) > 0;
    pthread_mutex_unlock(&file->lock);
    return taken;
}

static int embedded_consume(struct stream *base, const struct stream_consumer *wanted, struct err *err)
{
    struct embedded_stream *stream = (struct embedded_stream *)base;
    if (group_is_taken(&stream->file, wanted->group))
        return err_set(err, -EBUSY, "group %s has a reader in this process already", wanted->group);
    struct reader *reader = reader_new(stream, wanted);
    if (!reader)
        return err_set(err, -ENOMEM, "out of memory");
    int code = embedded_loop_start(&stream->file, &reader->loop);
    if (code == 0)
        return 0;
    reader_free(&reader->loop);
    return err_set(err, code, "no fiber can be started");
}

/* ---- the whole ---- */

static FIBER_FN void embedded_stream_stop(struct stream *base)
{
    embedded_stop(&((struct embedded_stream *)base)->file);
}

static FIBER_FN void embedded_close(struct stream *base)
{
    embedded_file_close(&((struct embedded_stream *)base)->file);
    free(base);
}

static bool embedded_is_up(const struct stream *stream)
{
    return true;
}

static int embedded_open(struct stream **ret_stream, struct err *err)
{
    struct embedded_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return err_set(err, -ENOMEM, "out of memory");
    stream->base.ops = &embedded_stream_ops;
    int code = embedded_file_open(&stream->file, &kind, err);
    if (code < 0) {
        free(stream);
        return code;
    }
    *ret_stream = &stream->base;
    return 0;
}

/* False where memory is short, without a jump: the caller holds a lock. */
static bool add_lags(const struct reader *reader, json_t *list)
{
    bool added = true;
    for (unsigned i = 0; i < reader->topic_count && added; i++) {
        int64_t end = atomic_load(&reader->topics[i]->end), position = atomic_load(&reader->position[i]);
        json_t *lag = json_pack("{s:s, s:s, s:I, s:I}", "topic", reader->names[i], "group", reader->group, "lag",
                                (json_int_t)(end > position ? end - position : 0), "end", (json_int_t)end);
        added = json_array_append_new(list, lag) == 0;
    }
    return added;
}

static FIBER_FN int embedded_lags(struct stream *base, struct arena *arena, json_t **ret_list)
{
    struct embedded_file *file = &((struct embedded_stream *)base)->file;
    json_t *list = json_make(arena, "[]");
    bool added = true;
    pthread_mutex_lock(&file->lock);
    for (struct embedded_loop *loop = file->loops; loop && added; loop = loop->next)
        if (atomic_load(&loop->open))
            added = add_lags(reader_of(loop), list);
    pthread_mutex_unlock(&file->lock);
    if (!added)
        return -ENOMEM;
    *ret_list = list;
    return 0;
}

const struct stream_ops embedded_stream_ops = {
    .scheme = "embedded",
    .open = embedded_open,
    .close = embedded_close,
    .is_up = embedded_is_up,
    .publish = embedded_publish,
    .consume = embedded_consume,
    .stop = embedded_stream_stop,
    .lags = embedded_lags,
};
