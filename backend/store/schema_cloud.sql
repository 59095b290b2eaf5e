-- What is known centrally. cloud.db is written first and last by whatever spans a cell, the cell in between.

CREATE TABLE cloud (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    cloud_id TEXT NOT NULL,
    kind TEXT NOT NULL,                         -- demo, empty, or the trace that it was driven from
    seed INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    settings TEXT NOT NULL,                     -- JSON: grace_seconds, perf_factor_floor_permille, placement, ...
    clock TEXT NOT NULL,                        -- JSON: {"mode": "wall"} or {"mode", "rate", "simulated_at"}
    next_sequence INTEGER NOT NULL              -- ids of what lies in no cell: uuid5 of (cloud id, "cloud", sequence)
) STRICT;

CREATE TABLE cell (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    injected TEXT CHECK (injected IN ('down', 'hung')),
    next_sequence INTEGER NOT NULL,             -- ids are uuid5 of (cloud id, cell, sequence)
    epoch INTEGER NOT NULL,                     -- of the newest commit that the cell is known to have acknowledged
    mirrored_event INTEGER NOT NULL             -- last_known tells of the cell's events up to this number
) STRICT;

CREATE TABLE customer (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE project (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    customer_id TEXT NOT NULL REFERENCES customer (id),
    servers_max INTEGER,                        -- quotas; NULL = none
    cpu_mhz_max INTEGER,
    memory_bytes_max INTEGER,
    storage_bytes_max INTEGER
) STRICT;

CREATE TABLE account (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES project (id),
    is_staff INTEGER NOT NULL CHECK (is_staff IN (0, 1)),
    may_backfill INTEGER NOT NULL CHECK (may_backfill IN (0, 1))
) STRICT;

CREATE TABLE membership (
    account TEXT NOT NULL REFERENCES account (name),
    role TEXT NOT NULL CHECK (role IN ('customer_owner', 'project_manager', 'project_admin')),
    scope_id TEXT NOT NULL,                     -- a customer's id, or a project's
    PRIMARY KEY (account, role, scope_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE server_directory (
    id TEXT PRIMARY KEY,
    cell TEXT NOT NULL REFERENCES cell (name),
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    cpu_mhz INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    is_backfilling INTEGER NOT NULL,
    flavor TEXT,
    image TEXT,
    zone TEXT,
    server_group TEXT,
    state TEXT NOT NULL CHECK (state IN ('building', 'active', 'deleting'))
) STRICT;

CREATE INDEX server_directory_by_project ON server_directory (project_id, created_at, id, cpu_mhz, memory_bytes);
CREATE INDEX server_directory_by_created ON server_directory (created_at, id);
CREATE INDEX server_directory_by_cell ON server_directory (cell, id);
CREATE INDEX server_directory_unfinished ON server_directory (cell, id) WHERE state <> 'active';

CREATE TABLE drive_directory (
    id TEXT PRIMARY KEY,
    cell TEXT NOT NULL REFERENCES cell (name),
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    server_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('building', 'active', 'deleting'))
) STRICT;

CREATE INDEX drive_directory_by_project ON drive_directory (project_id, created_at, id, size_bytes);
CREATE INDEX drive_directory_by_created ON drive_directory (created_at, id);
CREATE INDEX drive_directory_by_cell ON drive_directory (cell, id);
CREATE INDEX drive_directory_by_server ON drive_directory (server_id) WHERE server_id IS NOT NULL;
CREATE INDEX drive_directory_unfinished ON drive_directory (cell, id) WHERE state <> 'active';

-- For the operator's eyes only, when a cell does not answer. Written in batches behind the cells' commits.
CREATE TABLE last_known (
    id TEXT PRIMARY KEY,
    object_kind TEXT NOT NULL CHECK (object_kind IN ('server', 'drive')),
    cell TEXT NOT NULL,
    known_at TEXT NOT NULL,
    picture TEXT NOT NULL                       -- JSON: name, state, host, size, effective, tags, ...
) STRICT;

CREATE INDEX last_known_by_cell ON last_known (cell, id);

CREATE TABLE schedule (
    id TEXT PRIMARY KEY,
    server_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    retention_days INTEGER NOT NULL CHECK (retention_days >= 0),
    backups_max INTEGER NOT NULL CHECK (backups_max >= 0),
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    next_trigger_at TEXT,
    created_at TEXT NOT NULL,
    last_run_at TEXT,
    reason TEXT,
    missed_since TEXT,
    version INTEGER NOT NULL,
    CHECK ((is_active = 1) = (next_trigger_at IS NOT NULL))
) STRICT;

CREATE INDEX schedule_due ON schedule (next_trigger_at) WHERE is_active = 1;
CREATE INDEX schedule_of_server ON schedule (server_id);

CREATE TABLE backup (
    id TEXT PRIMARY KEY,
    server_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    schedule_id TEXT,
    description TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('backing_up', 'ready', 'restoring', 'deleting', 'erred')),
    created_at TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    kept_until TEXT,
    contents TEXT NOT NULL,
    reason TEXT,
    version INTEGER NOT NULL
) STRICT;

CREATE INDEX backup_of_schedule ON backup (schedule_id, created_at);
CREATE INDEX backup_of_server ON backup (server_id, created_at);
CREATE INDEX backup_of_project ON backup (project_id, size_bytes);
CREATE INDEX backup_expiring ON backup (kept_until) WHERE kept_until IS NOT NULL;
