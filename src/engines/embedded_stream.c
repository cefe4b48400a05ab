/*
 * The stream port inside the process: one SQLite file, stream.db, through the writer's lane that databases use.
 *
 * A topic is a range of the table of records: an id holds the topic's number and the record's offset, which is given on the
 * writer's thread in the order of commits, so that a reader who asks for what follows its position skips nothing. A
 * group has one position in each topic; it is kept in memory and written at most every 250 ms and at the end, so that after a
 * crash the last records come again (their readers recognise them). Records are kept for seven days. A group has one reader
 * here: partitions only say which records share a key.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engines/database_ops.h"
#include "engines/stream_ops.h"
#include "engines/wakeup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define OFFSET_BITS 40
#define COMMIT_EVERY_MS 250
#define KEEP_MS (INT64_C(7) * 24 * 3600 * 1000)
#define TRIM_EVERY_MS (60 * 1000)
#define TRIM_AT_ONCE 1000

static const char schema[] = "CREATE TABLE IF NOT EXISTS topics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
                             "last_offset INTEGER NOT NULL DEFAULT 0);"
                             "CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, key TEXT, "
                             "event_id TEXT, traceparent TEXT, value TEXT NOT NULL);"
                             "CREATE TABLE IF NOT EXISTS positions (group_name TEXT NOT NULL, topic INTEGER NOT NULL, "
                             "position INTEGER NOT NULL, PRIMARY KEY (group_name, topic)) WITHOUT ROWID;";

struct topic {
    char *name;
    int64_t number;      /* 0 until it is known; then never changes */
    int64_t last_offset; /* given; the writer's thread alone */
    _Atomic int64_t end; /* the last offset that is durable */
    struct topic *next;
};

struct reader {
    struct embedded_stream *stream;
    char *group;
    struct stream_consumer wanted;
    struct topic *topics[STREAM_TOPICS_MAX];
    const char *names[STREAM_TOPICS_MAX];
    unsigned topic_count;
    _Atomic int64_t position[STREAM_TOPICS_MAX]; /* the last offset handled */
    int64_t written[STREAM_TOPICS_MAX];
    int64_t write_mono_ms; /* not before */
    struct wakeup wakeup;
    unsigned handled;
    int code;
    struct reader *next;
};

struct embedded_stream {
    struct stream base; /* first */
    struct database *file;
    pthread_mutex_t lock; /* of the lists, which only grow */
    struct topic *topics;
    struct reader *readers;
    _Atomic bool stopping;
    _Atomic unsigned running;
    _Atomic int64_t trim_mono_ms;
    struct wakeup stopped;
};

static int64_t first_of(const struct topic *topic)
{
    return topic->number << OFFSET_BITS;
}

/* ---- topics ---- */

static struct topic *topic_named(struct embedded_stream *stream, const char *name)
{
    pthread_mutex_lock(&stream->lock);
    struct topic *topic = stream->topics;
    while (topic && strcmp(topic->name, name))
        topic = topic->next;
    if (!topic && (topic = calloc(1, sizeof *topic))) {
        topic->name = strdup(name);
        topic->next = stream->topics;
        if (topic->name)
            stream->topics = topic;
        else
            free(topic), topic = NULL;
    }
    pthread_mutex_unlock(&stream->lock);
    return topic;
}

struct resolution {
    const char *name;
    int64_t number, last_offset;
};

/* last_offset outlives the records: offsets are never given twice. */
static int resolve(struct transaction *tx, void *arg)
{
    struct resolution *found = arg;
    struct rows rows;
    int code = sql_run(tx, "INSERT INTO topics (name) VALUES (?1) ON CONFLICT DO NOTHING", "t", found->name);
    if (code >= 0)
        code = sql_query(tx, &rows,
                         "SELECT number, max(last_offset, coalesce((SELECT max(id) - (number << 40) FROM records "
                         "WHERE id > number << 40 AND id < (number + 1) << 40), 0)) FROM topics WHERE name = ?1",
                         "t", found->name);
    if (code < 0)
        return code;
    found->number = rows_integer(&rows, 0, 0);
    found->last_offset = rows_integer(&rows, 0, 1);
    return 0;
}

static struct topic *topic_open(struct embedded_stream *stream, const char *name, int *ret_code)
{
    struct topic *topic = topic_named(stream, name);
    *ret_code = topic ? 0 : -ENOMEM;
    if (!topic || __atomic_load_n(&topic->number, __ATOMIC_ACQUIRE))
        return topic;
    struct resolution found = {.name = name};
    *ret_code = database_transact(stream->file, resolve, &found);
    if (*ret_code < 0)
        return NULL;
    pthread_mutex_lock(&stream->lock);
    if (!topic->number) {
        topic->last_offset = found.last_offset;
        atomic_store(&topic->end, found.last_offset);
        __atomic_store_n(&topic->number, found.number, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&stream->lock);
    return topic;
}

/* ---- publishing ---- */

struct publication {
    struct topic **topics;
    int64_t *offsets; /* given to each */
    const struct stream_record *records;
    unsigned count;
};

static int publish(struct transaction *tx, void *arg)
{
    const struct publication *publication = arg;
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < publication->count; i++) {
        const struct stream_record *record = &publication->records[i];
        struct topic *topic = publication->topics[i];
        publication->offsets[i] = ++topic->last_offset;
        int code = sql_run(tx, "INSERT INTO records (id, created_at, key, event_id, traceparent, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                           "iittts", first_of(topic) | publication->offsets[i], now, record->key, record->id, record->traceparent,
                           &record->value);
        if (code < 0)
            return code;
    }
    return 0;
}

static void note_end(struct topic *topic, int64_t offset)
{
    int64_t known = atomic_load(&topic->end);
    while (offset > known && !atomic_compare_exchange_weak(&topic->end, &known, offset))
        ;
}

static void ring_readers(struct embedded_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    for (struct reader *reader = stream->readers; reader; reader = reader->next)
        wakeup_ring(&reader->wakeup);
    pthread_mutex_unlock(&stream->lock);
}

static int embedded_publish(struct stream *base, const struct stream_record *records, unsigned count)
{
    struct embedded_stream *stream = (struct embedded_stream *)base;
    struct publication publication = {
        .topics = arena_alloc(fiber_arena(), sizeof(struct topic *) * count),
        .offsets = arena_alloc(fiber_arena(), sizeof(int64_t) * count),
        .records = records,
        .count = count,
    };
    int code = 0;
    for (unsigned i = 0; i < count; i++)
        if (!(publication.topics[i] = topic_open(stream, records[i].topic, &code)))
            return code;
    code = database_transact(stream->file, publish, &publication);
    if (code < 0)
        return code;
    for (unsigned i = 0; i < count; i++)
        note_end(publication.topics[i], publication.offsets[i]);
    ring_readers(stream);
    return 0;
}

/* ---- reading ---- */

struct fetch {
    int64_t after, before, limit;
    struct rows rows;
};

static int read_records(struct transaction *tx, void *arg)
{
    struct fetch *fetch = arg;
    return sql_query(tx, &fetch->rows,
                     "SELECT id, key, event_id, traceparent, value FROM records WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3", "iii",
                     fetch->after, fetch->before, fetch->limit);
}

/* FNV-1a: which records share a key. */
static int32_t partition_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; key && *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return (int32_t)(hash % STREAM_PARTITIONS);
}

static struct stream_record *records_of(const struct topic *topic, const struct rows *rows)
{
    struct stream_record *records = arena_alloc(fiber_arena(), sizeof *records * rows->count);
    for (unsigned i = 0; i < rows->count; i++)
        records[i] = (struct stream_record){
            .topic = topic->name,
            .key = rows_text(rows, i, 1),
            .id = rows_text(rows, i, 2),
            .traceparent = rows_text(rows, i, 3),
            .value = rows->cells[i * rows->columns + 4],
            .partition = partition_of(rows_text(rows, i, 1)),
            .offset = rows_integer(rows, i, 0) - first_of(topic),
        };
    return records;
}

static int deliver_topic(struct reader *reader, unsigned at)
{
    struct topic *topic = reader->topics[at];
    int64_t position = atomic_load(&reader->position[at]);
    if (atomic_load(&topic->end) <= position)
        return 0;
    struct fetch fetch = {first_of(topic) + position, first_of(topic) + (INT64_C(1) << OFFSET_BITS), reader->wanted.batch_max, {0}};
    int code = database_read(reader->stream->file, read_records, &fetch);
    if (code < 0 || !fetch.rows.count)
        return code;
    struct stream_record *records = records_of(topic, &fetch.rows);
    code = reader->wanted.handle(reader->wanted.context, records, fetch.rows.count);
    if (code < 0)
        return code;
    atomic_store(&reader->position[at], records[fetch.rows.count - 1].offset);
    reader->handled += fetch.rows.count;
    return 0;
}

static int write_positions(struct transaction *tx, void *arg)
{
    struct reader *reader = arg;
    int code = 0;
    for (unsigned i = 0; i < reader->topic_count && code >= 0; i++)
        if (atomic_load(&reader->position[i]) != reader->written[i])
            code = sql_run(tx,
                           "INSERT INTO positions (group_name, topic, position) VALUES (?1, ?2, ?3) "
                           "ON CONFLICT (group_name, topic) DO UPDATE SET position = excluded.position",
                           "tii", reader->group, reader->topics[i]->number, atomic_load(&reader->position[i]));
    return code;
}

static bool has_moved(const struct reader *reader)
{
    for (unsigned i = 0; i < reader->topic_count; i++)
        if (atomic_load(&reader->position[i]) != reader->written[i])
            return true;
    return false;
}

static void save_positions(void *arg)
{
    struct reader *reader = arg;
    reader->write_mono_ms = clock_mono_ms() + COMMIT_EVERY_MS;
    if (database_transact(reader->stream->file, write_positions, reader) < 0)
        return;
    for (unsigned i = 0; i < reader->topic_count; i++)
        reader->written[i] = atomic_load(&reader->position[i]);
}

/* One batch of each topic, on a fiber of its own. */
static void deliver(void *arg)
{
    struct reader *reader = arg;
    reader->code = 0;
    for (unsigned i = 0; i < reader->topic_count && reader->code == 0; i++)
        reader->code = deliver_topic(reader, i);
    if (clock_mono_ms() >= reader->write_mono_ms && has_moved(reader))
        save_positions(reader);
}

static int load_positions(struct transaction *tx, void *arg)
{
    struct reader *reader = arg;
    for (unsigned i = 0; i < reader->topic_count; i++) {
        struct rows rows;
        int code = sql_query(tx, &rows, "SELECT position FROM positions WHERE group_name = ?1 AND topic = ?2", "ti", reader->group,
                             reader->topics[i]->number);
        if (code < 0)
            return code;
        reader->written[i] = rows.count ? rows_integer(&rows, 0, 0) : 0;
        atomic_store(&reader->position[i], reader->written[i]);
    }
    return 0;
}

static void open_topics(void *arg)
{
    struct reader *reader = arg;
    reader->code = 0;
    for (unsigned i = 0; i < reader->topic_count && reader->code == 0; i++)
        reader->topics[i] = topic_open(reader->stream, reader->names[i], &reader->code);
    if (reader->code == 0)
        reader->code = database_read(reader->stream->file, load_positions, reader);
}

/* ---- keeping the file small ---- */

static int trim(struct transaction *tx, void *arg)
{
    int64_t before = clock_wall_ms() - KEEP_MS;
    int code = sql_run(tx,
                       "UPDATE topics SET last_offset = max(last_offset, coalesce((SELECT max(id) - (number << 40) FROM records "
                       "WHERE id > number << 40 AND id < (number + 1) << 40), 0)) "
                       "WHERE EXISTS (SELECT 1 FROM records WHERE id = (SELECT min(id) FROM records WHERE id > number << 40 "
                       "AND id < (number + 1) << 40) AND created_at < ?1)",
                       "i", before);
    if (code <= 0)
        return code;
    return sql_run(tx,
                   "DELETE FROM records WHERE id IN (SELECT r.id FROM topics t JOIN records r ON r.id > t.number << 40 "
                   "AND r.id < (t.number + 1) << 40 WHERE r.created_at < ?1 LIMIT ?2)",
                   "ii", before, (int64_t)TRIM_AT_ONCE);
}

static void trim_some(void *arg)
{
    struct embedded_stream *stream = arg;
    if (database_transact(stream->file, trim, NULL) < 0)
        log_warn("old records of the stream could not be deleted", NULL);
}

static void trim_sometimes(struct embedded_stream *stream)
{
    int64_t now = clock_mono_ms(), due = atomic_load(&stream->trim_mono_ms);
    if (now >= due && atomic_compare_exchange_strong(&stream->trim_mono_ms, &due, now + TRIM_EVERY_MS))
        fiber_run_apart("stream trim", trim_some, stream);
}

/* ---- the readers' loops ---- */

static void wait_for_records(struct reader *reader, bool failed)
{
    int64_t now = clock_mono_ms(), until = now + TRIM_EVERY_MS;
    if (failed)
        until = now + STREAM_PAUSE_MS;
    else if (has_moved(reader))
        until = reader->write_mono_ms;
    if (until > now && wakeup_wait(&reader->wakeup, until) == 0 && failed)
        wakeup_wait(&reader->wakeup, until); /* new records don't shorten the pause */
    if (clock_mono_ms() >= reader->write_mono_ms && has_moved(reader))
        fiber_run_apart("stream positions", save_positions, reader);
}

static void read_on(struct reader *reader)
{
    struct embedded_stream *stream = reader->stream;
    while (!atomic_load(&stream->stopping)) {
        reader->handled = 0;
        int code = fiber_run_apart("stream batch", deliver, reader);
        if (code == 0)
            code = reader->code;
        trim_sometimes(stream);
        if (code < 0 || !reader->handled)
            wait_for_records(reader, code < 0);
    }
    if (has_moved(reader))
        fiber_run_apart("stream positions", save_positions, reader);
    if (atomic_fetch_sub(&stream->running, 1) == 1)
        wakeup_ring(&stream->stopped);
}

static void reader_main(void *arg)
{
    struct reader *reader = arg;
    struct embedded_stream *stream = reader->stream;
    while ((fiber_run_apart("stream start", open_topics, reader) < 0 || reader->code < 0) && !atomic_load(&stream->stopping))
        wakeup_wait(&reader->wakeup, clock_mono_ms() + STREAM_PAUSE_MS);
    read_on(reader);
}

static void reader_free(struct reader *reader)
{
    for (unsigned i = 0; i < reader->topic_count; i++)
        free((char *)reader->names[i]);
    free(reader->group);
    free(reader);
}

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
    reader_free(reader);
    return NULL;
}

static bool group_is_taken(const struct embedded_stream *stream, const char *group)
{
    for (const struct reader *reader = stream->readers; reader; reader = reader->next)
        if (!strcmp(reader->group, group))
            return atomic_load(&stream->running) > 0;
    return false;
}

static int embedded_consume(struct stream *base, const struct stream_consumer *wanted, struct err *err)
{
    struct embedded_stream *stream = (struct embedded_stream *)base;
    struct reader *reader = reader_new(stream, wanted);
    if (!reader)
        return err_set(err, -ENOMEM, "out of memory");
    pthread_mutex_lock(&stream->lock);
    bool taken = group_is_taken(stream, wanted->group);
    if (!taken) {
        reader->next = stream->readers;
        stream->readers = reader;
        atomic_store(&stream->stopping, false);
        atomic_fetch_add(&stream->running, 1);
    }
    pthread_mutex_unlock(&stream->lock);
    if (taken) {
        reader_free(reader);
        return err_set(err, -EBUSY, "group %s has a reader in this process already", wanted->group);
    }
    int code = fiber_start("stream reader", reader_main, reader);
    if (code < 0)
        atomic_fetch_sub(&stream->running, 1);
    return code < 0 ? err_set(err, code, "no fiber can be started") : 0;
}

/* ---- the whole ---- */

static void embedded_stop(struct stream *base)
{
    struct embedded_stream *stream = (struct embedded_stream *)base;
    atomic_store(&stream->stopping, true);
    ring_readers(stream);
    while (atomic_load(&stream->running))
        wakeup_wait_uninterrupted(&stream->stopped);
}

static void embedded_close(struct stream *base)
{
    struct embedded_stream *stream = (struct embedded_stream *)base;
    embedded_stop(base);
    database_close(stream->file);
    for (struct reader *reader; (reader = stream->readers);) {
        stream->readers = reader->next;
        reader_free(reader);
    }
    for (struct topic *topic; (topic = stream->topics);) {
        stream->topics = topic->next;
        free(topic->name);
        free(topic);
    }
    pthread_mutex_destroy(&stream->lock);
    free(stream);
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
    pthread_mutex_init(&stream->lock, NULL);
    int code = sqlite_file_open("stream", schema, &stream->file, err);
    if (code < 0) {
        pthread_mutex_destroy(&stream->lock);
        free(stream);
        return code;
    }
    *ret_stream = &stream->base;
    return 0;
}

static int embedded_lags(struct stream *base, struct arena *arena, json_t **ret_list)
{
    struct embedded_stream *stream = (struct embedded_stream *)base;
    json_t *list = json_make(arena, "[]");
    bool failed = false; /* no jump while the lock is held */
    pthread_mutex_lock(&stream->lock);
    for (const struct reader *reader = stream->readers; reader; reader = reader->next)
        for (unsigned i = 0; i < reader->topic_count && reader->topics[i]; i++) {
            int64_t end = atomic_load(&reader->topics[i]->end), position = atomic_load(&reader->position[i]);
            json_t *lag = json_pack("{s:s, s:s, s:I, s:I}", "topic", reader->names[i], "group", reader->group, "lag",
                                    (json_int_t)(end > position ? end - position : 0), "end", (json_int_t)end);
            failed |= json_array_append_new(list, lag) != 0;
        }
    pthread_mutex_unlock(&stream->lock);
    if (failed)
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
    .stop = embedded_stop,
    .lags = embedded_lags,
};
