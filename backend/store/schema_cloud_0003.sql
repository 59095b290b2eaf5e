-- Hosts are known centrally too: which there are, what they were when they were last seen, and since when a cell is silent.

ALTER TABLE cell ADD COLUMN silent_since TEXT;  -- wall time; NULL while it answers

CREATE TABLE host_directory (
    name TEXT PRIMARY KEY,
    cell TEXT NOT NULL REFERENCES cell (name),
    kind TEXT NOT NULL CHECK (kind IN ('compute', 'storage'))
) STRICT;

CREATE INDEX host_directory_by_cell ON host_directory (cell, name);

ALTER TABLE last_known RENAME TO last_known_before;
DROP INDEX last_known_by_cell;
CREATE TABLE last_known (
    id TEXT NOT NULL,                           -- of a host: its name
    object_kind TEXT NOT NULL CHECK (object_kind IN ('server', 'drive', 'host')),
    cell TEXT NOT NULL,
    known_at TEXT NOT NULL,
    picture TEXT NOT NULL,                      -- JSON: name, state, host, size, effective, tags, ...
    PRIMARY KEY (id, object_kind)
) STRICT;
INSERT INTO last_known SELECT id, object_kind, cell, known_at, picture FROM last_known_before;
DROP TABLE last_known_before;

CREATE INDEX last_known_by_cell ON last_known (cell, object_kind, id);
