/* The tables of the embedded stream. Records are kept for seven days; topics.last_offset outlives them: offsets are never given twice. */
#include "engines/embedded_records.h"

#include "base/clock.h"

#define KEEP_MS (INT64_C(7) * 24 * 3600 * 1000)
#define TRIM_AT_ONCE 1000

const char records_schema[] =
    "CREATE TABLE IF NOT EXISTS topics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
    "last_offset INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, key TEXT, "
    "event_id TEXT, traceparent TEXT, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS positions (group_name TEXT NOT NULL, topic INTEGER NOT NULL, "
    "position INTEGER NOT NULL, PRIMARY KEY (group_name, topic)) WITHOUT ROWID;";

const char records_add_range[] = "INSERT INTO topics (name) VALUES (?1) ON CONFLICT DO NOTHING";
const char records_find_range[] = "SELECT number, max(last_offset, coalesce((SELECT max(id) - (number << 40) FROM records "
                                  "WHERE id > number << 40 AND id < (number + 1) << 40), 0)) FROM topics WHERE name = ?1";

int records_publish(struct transaction *tx, void *arg)
{
    const struct records_publication *publication = arg;
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < publication->count; i++) {
        const struct stream_record *record = &publication->records[i];
        struct embedded_topic *topic = publication->topics[i];
        publication->offsets[i] = ++topic->range.last_place;
        int code = sql_run(tx, "INSERT INTO records (id, created_at, key, event_id, traceparent, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                           "iittts", embedded_id(&topic->range, publication->offsets[i]), now, record->key, record->id, record->traceparent,
                           &record->value);
        if (code < 0)
            return code;
    }
    return 0;
}

/* ---- reading ---- */

int records_read(struct transaction *tx, void *arg)
{
    struct records_fetch *fetch = arg;
    return sql_query(tx, &fetch->rows,
                     "SELECT id, key, event_id, traceparent, value FROM records WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3", "iii",
                     embedded_id(fetch->range, fetch->after), embedded_id(fetch->range, EMBEDDED_PLACE_MAX), fetch->limit);
}

/* FNV-1a: which records share a key. */
static int32_t partition_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; key && *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return (int32_t)(hash % STREAM_PARTITIONS);
}

struct stream_record records_row(const struct records_fetch *fetch, unsigned row)
{
    const struct rows *rows = &fetch->rows;
    return (struct stream_record){
        .topic = fetch->range->name,
        .key = rows_text(rows, row, 1),
        .id = rows_text(rows, row, 2),
        .traceparent = rows_text(rows, row, 3),
        .value = rows->cells[row * rows->columns + 4],
        .partition = partition_of(rows_text(rows, row, 1)),
        .offset = embedded_place(fetch->range, rows_integer(rows, row, 0)),
    };
}

/* ---- positions ---- */

int records_load_positions(struct transaction *tx, void *arg)
{
    struct records_positions *positions = arg;
    for (unsigned i = 0; i < positions->count; i++) {
        int64_t topic = positions->topics[i]->range.number;
        struct rows rows;
        int code = sql_run(tx, "INSERT INTO positions (group_name, topic, position) VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING", "ti",
                           positions->group, topic);
        if (code >= 0)
            code = sql_query(tx, &rows, "SELECT position FROM positions WHERE group_name = ?1 AND topic = ?2", "ti", positions->group, topic);
        if (code < 0)
            return code;
        positions->at[i] = rows_integer(&rows, 0, 0);
    }
    return 0;
}

int records_write_positions(struct transaction *tx, void *arg)
{
    const struct records_positions *positions = arg;
    int code = 0;
    for (unsigned i = 0; i < positions->count && code >= 0; i++)
        if (positions->at[i] != positions->written[i])
            code = sql_run(tx,
                           "INSERT INTO positions (group_name, topic, position) VALUES (?1, ?2, ?3) "
                           "ON CONFLICT (group_name, topic) DO UPDATE SET position = excluded.position",
                           "tii", positions->group, positions->topics[i]->range.number, positions->at[i]);
    return code;
}

/* ---- keeping the file small ---- */

int records_trim(struct transaction *tx, void *arg)
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
