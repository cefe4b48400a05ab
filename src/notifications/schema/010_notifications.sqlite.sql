-- One row a user: the last number given. A deleted user's row stays, so that late events find nobody to tell.
CREATE TABLE recipients (
    user_id TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The one log from which everything else is derived: unread counts, what a socket missed.
CREATE TABLE notifications (
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    data TEXT,
    created_at INTEGER NOT NULL,
    read_at INTEGER,
    PRIMARY KEY (user_id, seq),
    UNIQUE (user_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX notifications_unread ON notifications (user_id, seq) WHERE read_at IS NULL;
