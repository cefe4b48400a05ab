-- A function is a name and the version that answers; versions never change.
CREATE TABLE functions (
    name text PRIMARY KEY,
    version bigint NOT NULL,
    last_version bigint NOT NULL,
    builtin bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);

CREATE TABLE function_versions (
    name text NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    version bigint NOT NULL,
    id uuid NOT NULL UNIQUE,
    source text NOT NULL,
    access text NOT NULL CHECK (access IN ('public', 'user', 'admin')),
    timeout_ms bigint NOT NULL,
    memory_mb bigint NOT NULL,
    concurrency bigint NOT NULL,
    reuse bigint NOT NULL,
    triggers text NOT NULL,
    settings text NOT NULL,
    builtin bigint NOT NULL DEFAULT 0,
    created_by uuid,
    created_at bigint NOT NULL,
    PRIMARY KEY (name, version)
);

-- Those of the version that answers, to be found by events and by the clock.
CREATE TABLE function_triggers (
    name text NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    position bigint NOT NULL,
    trigger text NOT NULL,
    PRIMARY KEY (name, position)
);

-- One row: counts the changes of what is above, so that other instances notice them.
CREATE TABLE function_registry (
    id bigint PRIMARY KEY CHECK (id = 1),
    revision bigint NOT NULL
);
INSERT INTO function_registry (id, revision) VALUES (1, 1);

-- Asynchronous calls and their outcome, for a day.
CREATE TABLE invocations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    user_id uuid,
    status text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    event text NOT NULL,
    result text,
    error text,
    logs text,
    duration_us bigint,
    version bigint,
    created_at bigint NOT NULL
);
CREATE INDEX invocations_by_age ON invocations (created_at);

-- A hook has its effect once for each event (or minute) and function.
CREATE TABLE hook_runs (
    cause text NOT NULL,
    name text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (cause, name)
);
CREATE INDEX hook_runs_by_age ON hook_runs (created_at);

-- What calls said: the latest of each function.
CREATE TABLE function_logs (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    version bigint NOT NULL,
    cause text NOT NULL,
    status text NOT NULL,
    duration_us bigint NOT NULL,
    logs text NOT NULL,
    error text,
    created_at bigint NOT NULL
);
CREATE INDEX function_logs_by_name ON function_logs (name, id);
