-- One attempt to pay, known by its id at the provider too. `refunded` is what refunds were accepted for, `settled` what the provider gave
-- back of it. due_at is when somebody has to look again; is_unknown: the provider was asked and did not answer.
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    user_id uuid NOT NULL,
    amount BIGINT NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
    currency TEXT NOT NULL,
    method TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed', 'partially_refunded', 'refunded')),
    failure_code TEXT,
    provider_ref TEXT,
    refunded BIGINT NOT NULL,
    settled BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    is_unknown BIGINT NOT NULL,
    due_at BIGINT,
    sequence BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK (settled >= 0 AND settled <= refunded AND refunded <= amount),
    CHECK (refunded = 0 OR status IN ('succeeded', 'partially_refunded', 'refunded'))
);
-- At most one payment of an order is captured or may still be.
CREATE UNIQUE INDEX payments_live ON payments (order_id) WHERE status <> 'failed';
CREATE INDEX payments_order ON payments (order_id, id);
CREATE INDEX payments_user ON payments (user_id, id);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    amount BIGINT NOT NULL CHECK (amount > 0),
    status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    reason TEXT,
    attempts BIGINT NOT NULL,
    due_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX refunds_payment ON refunds (payment_id, id);
CREATE INDEX refunds_due ON refunds (due_at) WHERE due_at IS NOT NULL;

-- Double entry: the rows of a transaction (a payment's or a refund's id) sum to zero.
CREATE TABLE ledger_entries (
    transaction_id uuid NOT NULL,
    account TEXT NOT NULL CHECK (account IN ('captured', 'refunded', 'provider')),
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (transaction_id, account)
);

-- What providers called back, once by their own id of it.
CREATE TABLE provider_events (
    provider TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (provider, id)
);
