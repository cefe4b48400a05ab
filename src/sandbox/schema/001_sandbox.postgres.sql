-- What was said about each idempotency key: open (no charge yet), charged, or cancelled (never to be charged).
CREATE TABLE keys (
    key text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('open', 'charged', 'cancelled')),
    tries bigint NOT NULL
);

CREATE TABLE charges (
    id text PRIMARY KEY,
    key text NOT NULL UNIQUE,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    payment_method text NOT NULL,
    status text NOT NULL CHECK (status IN ('succeeded', 'failed')),
    failure_code text,
    refunded_amount bigint NOT NULL DEFAULT 0 CHECK (refunded_amount BETWEEN 0 AND amount),
    created_at bigint NOT NULL
);

CREATE TABLE refunds (
    id text PRIMARY KEY,
    key text NOT NULL UNIQUE,
    charge_id text NOT NULL REFERENCES charges (id),
    amount bigint NOT NULL CHECK (amount > 0),
    created_at bigint NOT NULL
);

-- Callbacks that have not been answered 2xx yet.
CREATE TABLE callbacks (
    id text PRIMARY KEY,
    body text NOT NULL,
    created_at bigint NOT NULL
);
