-- A function is a name and the version that answers; versions never change.
CREATE TABLE functions (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    last_version INTEGER NOT NULL,
    builtin INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE function_versions (
    name TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    access TEXT NOT NULL CHECK (access IN ('public', 'user', 'admin')),
    timeout_ms INTEGER NOT NULL,
    memory_mb INTEGER NOT NULL,
    concurrency INTEGER NOT NULL,
    reuse INTEGER NOT NULL,
    triggers TEXT NOT NULL,
    settings TEXT NOT NULL,
    builtin INTEGER NOT NULL DEFAULT 0,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
);

-- Those of the version that answers, to be found by events and by the clock.
CREATE TABLE function_triggers (
    name TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    PRIMARY KEY (name, position)
);

-- One row: counts the changes of what is above, so that other instances notice them.
CREATE TABLE function_registry (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
);
INSERT INTO function_registry (id, revision) VALUES (1, 1);

-- Asynchronous calls and their outcome, for a day.
CREATE TABLE invocations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    user_id TEXT,
    status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    event TEXT NOT NULL,
    result TEXT,
    error TEXT,
    logs TEXT,
    duration_us INTEGER,
    version INTEGER,
    created_at INTEGER NOT NULL
);
CREATE INDEX invocations_by_age ON invocations (created_at);

-- A hook has its effect once for each event (or minute) and function.
CREATE TABLE hook_runs (
    cause TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (cause, name)
);
CREATE INDEX hook_runs_by_age ON hook_runs (created_at);

-- What calls said: the latest of each function.
CREATE TABLE function_logs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    cause TEXT NOT NULL,
    status TEXT NOT NULL,
    duration_us INTEGER NOT NULL,
    logs TEXT NOT NULL,
    error TEXT,
    created_at INTEGER NOT NULL
);
CREATE INDEX function_logs_by_name ON function_logs (name, id);
