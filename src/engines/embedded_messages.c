/*
 * The tables of the embedded queue. What failed moves to `delayed` until it is due, what is dead to the queue <name>.dead.
 */
#include "engines/embedded_messages.h"

#include "base/clock.h"

#define DUE_AT_ONCE 200

const char messages_schema[] =
    "CREATE TABLE IF NOT EXISTS queues (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, attempts INTEGER NOT NULL, message_id TEXT, "
    "correlation_id TEXT, reply_to TEXT, traceparent TEXT, body TEXT NOT NULL, error TEXT);"
    "CREATE TABLE IF NOT EXISTS delayed (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, due_at INTEGER NOT NULL, "
    "attempts INTEGER NOT NULL, message_id TEXT, correlation_id TEXT, reply_to TEXT, traceparent TEXT, "
    "body TEXT NOT NULL, error TEXT);"
    "CREATE INDEX IF NOT EXISTS delayed_due ON delayed (queue, due_at);";

const char messages_add_range[] = "INSERT INTO queues (name) VALUES (?1) ON CONFLICT DO NOTHING";
const char messages_find_range[] = "SELECT number, coalesce((SELECT max(id) - (number << 40) FROM messages WHERE id > number << 40 "
                                   "AND id < (number + 1) << 40), 0) FROM queues WHERE name = ?1";

static int insert_message(struct transaction *tx, struct embedded_channel *channel, const struct queue_message *message, unsigned attempts,
                          const char *error)
{
    return sql_run(tx,
                   "INSERT INTO messages (id, attempts, message_id, correlation_id, reply_to, traceparent, body, error) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                   "iittttst", embedded_id(&channel->range, ++channel->range.last_place), (int64_t)attempts, message->id,
                   message->correlation_id, message->reply_to, message->traceparent, &message->body, error);
}

int messages_publish(struct transaction *tx, void *arg)
{
    const struct messages_publication *publication = arg;
    for (unsigned i = 0; i < publication->count; i++) {
        int code = insert_message(tx, publication->channels[i], &publication->messages[i], 0, NULL);
        if (code < 0)
            return code;
    }
    return 0;
}

/* ---- reading ---- */

int messages_read(struct transaction *tx, void *arg)
{
    struct messages_claim *claim = arg;
    return sql_query(tx, &claim->rows,
                     "SELECT " MESSAGES_COLUMNS " FROM messages WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
                     "iii", claim->from, claim->to, claim->limit);
}

struct queue_message messages_row(const struct rows *rows, unsigned row)
{
    return (struct queue_message){
        .id = rows_text(rows, row, 2),
        .correlation_id = rows_text(rows, row, 3),
        .reply_to = rows_text(rows, row, 4),
        .traceparent = rows_text(rows, row, 5),
        .body = rows->cells[row * rows->columns + 6],
    };
}

/* ---- what was delayed and is due ---- */

static int move_one(struct transaction *tx, struct embedded_channel *channel, const struct rows *rows, unsigned row)
{
    struct queue_message message = messages_row(rows, row);
    int code = insert_message(tx, channel, &message, (unsigned)rows_integer(rows, row, 1), rows_text(rows, row, 7));
    return code < 0 ? code : sql_run(tx, "DELETE FROM delayed WHERE id = ?1", "i", rows_integer(rows, row, 0));
}

/* A time that is further away than any pause is from a clock that was set back since. */
int messages_move_due(struct transaction *tx, void *arg)
{
    struct messages_due *due = arg;
    int64_t now = clock_steady_ms();
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "SELECT " MESSAGES_COLUMNS " FROM delayed "
                         "WHERE queue = ?1 AND (due_at <= ?2 OR due_at > ?3) ORDER BY due_at LIMIT ?4",
                         "iiii", due->channel->range.number, now, now + 2 * QUEUE_PAUSE_MAX_MS, (int64_t)DUE_AT_ONCE);
    for (unsigned i = 0; code >= 0 && i < rows.count; i++)
        code = move_one(tx, due->channel, &rows, i);
    if (code >= 0)
        code = sql_query(tx, &rows, "SELECT min(due_at) FROM delayed WHERE queue = ?1", "i", due->channel->range.number);
    if (code < 0)
        return code;
    due->next_due = rows_null(&rows, 0, 0) ? INT64_MAX : rows_integer(&rows, 0, 0);
    return 0;
}

/* ---- after the handler ---- */

static int delay(struct transaction *tx, struct messages_settlement *settlement, const struct queue_delivery *delivery, unsigned attempts)
{
    int64_t due = clock_steady_ms() + queue_pause_ms(attempts ? attempts : 1);
    if (due < settlement->next_due)
        settlement->next_due = due;
    return sql_run(tx,
                   "INSERT INTO delayed (queue, due_at, attempts, message_id, correlation_id, reply_to, traceparent, body, error) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                   "iiittttst", settlement->channel->range.number, due, (int64_t)attempts, delivery->message.id,
                   delivery->message.correlation_id, delivery->message.reply_to, delivery->message.traceparent, &delivery->message.body,
                   delivery->error);
}

static int settle_one(struct transaction *tx, struct messages_settlement *settlement, unsigned i)
{
    const struct queue_delivery *delivery = &settlement->batch[i];
    int code = 0;
    switch (queue_outcome(settlement->wanted, delivery)) {
    case QUEUE_ACK: break;
    case QUEUE_RETRY: code = delay(tx, settlement, delivery, delivery->attempt); break;
    case QUEUE_AGAIN: code = delay(tx, settlement, delivery, delivery->attempt - (settlement->wanted->dead_letters ? 0 : 1)); break;
    case QUEUE_DEAD:
        settlement->buried = true;
        code = insert_message(tx, settlement->dead, &delivery->message, delivery->attempt, delivery->error);
        break;
    }
    return code;
}

int messages_settle(struct transaction *tx, void *arg)
{
    struct messages_settlement *settlement = arg;
    int64_t first = rows_integer(settlement->rows, 0, 0), last = rows_integer(settlement->rows, settlement->rows->count - 1, 0);
    settlement->next_due = INT64_MAX;
    settlement->buried = false;
    for (unsigned i = 0; i < settlement->rows->count; i++) {
        int code = settle_one(tx, settlement, i);
        if (code < 0)
            return code;
    }
    /* The claimed range holds nothing but this batch: places are given in order. */
    return sql_run(tx, "DELETE FROM messages WHERE id BETWEEN ?1 AND ?2", "ii", first, last);
}

int messages_count(struct transaction *tx, void *arg)
{
    return sql_query(tx, arg,
                     "SELECT q.name, (SELECT count(*) FROM messages WHERE id > q.number << 40 AND id < (q.number + 1) << 40), "
                     "(SELECT count(*) FROM delayed WHERE queue = q.number), "
                     "(SELECT count(*) FROM queues d JOIN messages m ON m.id > d.number << 40 AND m.id < (d.number + 1) << 40 "
                     "WHERE d.name = q.name || '.dead') FROM queues q WHERE q.name NOT LIKE '%.dead' ORDER BY q.name",
                     "");
}
