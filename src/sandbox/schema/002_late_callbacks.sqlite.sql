-- Callbacks that were sent and not taken: again when they are due (steady time, see base/clock.h).
CREATE TABLE late_callbacks (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX late_callbacks_due ON late_callbacks (due_at);
