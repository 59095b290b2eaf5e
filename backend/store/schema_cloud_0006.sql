-- Snapshots of drives. They go with their drive's entry, whichever way that goes.

CREATE TABLE snapshot (
    id TEXT PRIMARY KEY,
    drive_id TEXT NOT NULL REFERENCES drive_directory (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    available_at TEXT NOT NULL,
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),     -- of the drive, as it was
    media TEXT NOT NULL CHECK (media IN ('disk', 'cdrom')),
    meta TEXT NOT NULL,                         -- JSON object
    tags TEXT NOT NULL,                         -- JSON list
    version INTEGER NOT NULL
) STRICT;

CREATE INDEX snapshot_of_drive ON snapshot (drive_id, created_at, id);
CREATE INDEX snapshot_of_project ON snapshot (project_id, created_at, id, size_bytes);
