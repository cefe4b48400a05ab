-- What a transaction has to send, in two tables so that one engine that is away does not slow the other's rows.
CREATE TABLE outbox_queue (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    destination TEXT NOT NULL,
    key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    correlation_id TEXT,
    reply_to TEXT,
    traceparent TEXT,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE TABLE outbox_stream (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    destination TEXT NOT NULL,
    key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    correlation_id TEXT,
    reply_to TEXT,
    traceparent TEXT,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

-- Which events have had their effect. Ids ascend with time, so rows are added and deleted at the ends.
CREATE TABLE inbox (
    event_id TEXT NOT NULL,
    consumer TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (event_id, consumer)
) WITHOUT ROWID;

CREATE TABLE idempotency (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    hash TEXT NOT NULL,
    status INTEGER,
    body TEXT,
    content_type TEXT,
    location TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (scope, key)
);

-- Events of a topic that failed, and those of the same key behind them, in order.
CREATE TABLE parked_events (
    id INTEGER PRIMARY KEY,
    consumer TEXT NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    is_dead INTEGER NOT NULL,
    traceparent TEXT,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (consumer, event_id)
);
CREATE INDEX parked_events_key ON parked_events (consumer, key, id);

CREATE TABLE dead_letters (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    consumer TEXT NOT NULL,
    key TEXT,
    event_id TEXT NOT NULL,
    type TEXT,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    correlation_id TEXT,
    reply_to TEXT,
    traceparent TEXT,
    body TEXT NOT NULL,
    parked_id INTEGER,
    created_at INTEGER NOT NULL,
    UNIQUE (consumer, event_id)
);
