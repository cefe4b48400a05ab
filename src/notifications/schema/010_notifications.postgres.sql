-- One row a user: the last number given. A deleted user's row stays, so that late events find nobody to tell.
CREATE TABLE recipients (
    user_id uuid PRIMARY KEY,
    last_seq bigint NOT NULL,
    deleted bigint NOT NULL DEFAULT 0
);

-- The one log from which everything else is derived: unread counts, what a socket missed.
CREATE TABLE notifications (
    id uuid NOT NULL UNIQUE,
    user_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    data text,
    created_at bigint NOT NULL,
    read_at bigint,
    PRIMARY KEY (user_id, seq),
    UNIQUE (user_id, event_id)
);

CREATE INDEX notifications_unread ON notifications (user_id, seq) WHERE read_at IS NULL;
