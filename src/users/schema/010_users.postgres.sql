CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL UNIQUE, -- the email as it is compared
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('user', 'admin')),
    password_hash text NOT NULL,
    sequence bigint NOT NULL,      -- of the user's events
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);

-- Live sessions. What a session's tokens are follows from its id and generation.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    generation bigint NOT NULL CHECK (generation > 0),
    rotated_at bigint NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    user_agent text,
    ip_address text
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Sessions that were ended before their time, numbered without gaps in the order of their commits, for as long as a token of theirs may live.
CREATE TABLE endings (
    number bigint PRIMARY KEY,
    session_id uuid NOT NULL UNIQUE,
    user_id uuid NOT NULL,
    reason text NOT NULL,
    ended_at bigint NOT NULL
);
CREATE INDEX endings_by_age ON endings (ended_at);

CREATE TABLE ending_counter (
    id bigint PRIMARY KEY CHECK (id = 1),
    last bigint NOT NULL
);
INSERT INTO ending_counter (id, last) VALUES (1, 0);

-- What somebody may want to look into later.
CREATE TABLE audit (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid,
    ip_address text,
    at bigint NOT NULL
);
CREATE INDEX audit_by_user ON audit (user_id, at);
CREATE INDEX audit_by_age ON audit (at);

-- Signing keys, sealed. One signs from signs_from until the next one does.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    sealed text NOT NULL,
    created_at bigint NOT NULL,
    signs_from bigint NOT NULL
);
