-- Callbacks that were sent and not taken: again when they are due (steady time, see base/clock.h).
CREATE TABLE late_callbacks (
    id text PRIMARY KEY,
    body text NOT NULL,
    created_at bigint NOT NULL,
    attempts bigint NOT NULL,
    due_at bigint NOT NULL
);

CREATE INDEX late_callbacks_due ON late_callbacks (due_at);
