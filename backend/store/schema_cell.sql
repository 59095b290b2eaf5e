-- One cell: its hosts, servers, drives, tasks and events. Instants are fixed-width UTC text, so text order is time order.

CREATE TABLE identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    cloud_id TEXT NOT NULL,
    cell TEXT NOT NULL,
    epoch INTEGER NOT NULL                      -- one more with every group commit; mirrored in cloud.db
) STRICT;

CREATE TABLE host (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('compute', 'storage')),
    state TEXT NOT NULL CHECK (state IN ('up', 'down', 'maintenance')),
    state_since TEXT NOT NULL,
    cpu_mhz INTEGER NOT NULL CHECK (cpu_mhz >= 0),
    memory_bytes INTEGER NOT NULL CHECK (memory_bytes >= 0),
    storage_bytes INTEGER NOT NULL CHECK (storage_bytes >= 0),
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE server (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('stopped', 'starting', 'running', 'stopping', 'paused', 'unavailable')),
    state_since TEXT NOT NULL,
    created_at TEXT NOT NULL,
    cpu_mhz INTEGER NOT NULL CHECK (cpu_mhz > 0),
    memory_bytes INTEGER NOT NULL CHECK (memory_bytes > 0),
    smp INTEGER NOT NULL CHECK (smp > 0),
    is_backfilling INTEGER NOT NULL CHECK (is_backfilling IN (0, 1)),
    cpu_floor_permille INTEGER NOT NULL CHECK (cpu_floor_permille BETWEEN 0 AND 1000),
    memory_floor_permille INTEGER NOT NULL CHECK (memory_floor_permille BETWEEN 0 AND 1000),
    host TEXT REFERENCES host (name),
    cpu_mhz_floor INTEGER,
    memory_bytes_floor INTEGER,
    cpu_mhz_effective INTEGER,
    memory_bytes_effective INTEGER,
    started_at TEXT,
    has_run INTEGER NOT NULL CHECK (has_run IN (0, 1)),
    waits INTEGER,
    notice_until TEXT,
    notice_for TEXT,
    squeezed_by TEXT,
    squeezed_at TEXT,
    displaced_for TEXT,
    displaced_at TEXT,
    displaced_count INTEGER NOT NULL,
    reason TEXT,
    avoid TEXT NOT NULL,                        -- JSON list
    meta TEXT NOT NULL,                         -- JSON object
    tags TEXT NOT NULL,                         -- JSON list
    attributes TEXT NOT NULL,                   -- JSON object
    version INTEGER NOT NULL,
    -- What holds a host has all that belongs to it, what holds none has none of it.
    CHECK ((host IS NULL) = (cpu_mhz_effective IS NULL)),
    CHECK ((host IS NULL) = (memory_bytes_effective IS NULL)),
    CHECK ((host IS NULL) = (cpu_mhz_floor IS NULL)),
    CHECK ((host IS NULL) = (memory_bytes_floor IS NULL)),
    CHECK ((host IS NULL) = (started_at IS NULL)),
    CHECK (host IS NOT NULL OR (waits IS NULL AND notice_until IS NULL)),
    CHECK (state NOT IN ('starting', 'running', 'stopping', 'paused') OR host IS NOT NULL),
    CHECK (state <> 'stopped' OR host IS NULL)
) STRICT;

CREATE INDEX server_by_name ON server (name, id);
CREATE INDEX server_by_state ON server (state, name, id);
CREATE INDEX server_by_created ON server (created_at, id);
CREATE INDEX server_by_host ON server (host) WHERE host IS NOT NULL;
-- What stopped servers are pledged, summed at every create.
CREATE INDEX server_pledged ON server (cpu_mhz, memory_bytes) WHERE state = 'stopped' AND is_backfilling = 0;
CREATE INDEX server_grouped ON server (id) WHERE instr(tags, '"group:') > 0;
CREATE INDEX server_waiting_for ON server (notice_for) WHERE notice_for IS NOT NULL;

CREATE TABLE drive (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('creating', 'unmounted', 'mounted', 'cloning_src', 'cloning_dst',
                                         'resizing', 'uploading', 'unavailable')),
    state_since TEXT NOT NULL,
    created_at TEXT NOT NULL,
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    media TEXT NOT NULL CHECK (media IN ('disk', 'cdrom')),
    host TEXT NOT NULL REFERENCES host (name),
    server_id TEXT,                             -- no reference: the server may live in another cell
    device TEXT,
    channel TEXT,
    boot_order INTEGER,
    avoid TEXT NOT NULL,
    meta TEXT NOT NULL,
    tags TEXT NOT NULL,
    attributes TEXT NOT NULL,
    version INTEGER NOT NULL,
    CHECK (state <> 'mounted' OR server_id IS NOT NULL)
) STRICT;

CREATE INDEX drive_by_name ON drive (name, id);
CREATE INDEX drive_by_created ON drive (created_at, id);
CREATE INDEX drive_by_host ON drive (host);
CREATE INDEX drive_by_server ON drive (server_id) WHERE server_id IS NOT NULL;
