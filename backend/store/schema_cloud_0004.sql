-- Server groups of the Compute API, and what is centrally known of a server's security groups.

CREATE TABLE server_group (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    policy TEXT NOT NULL CHECK (policy IN ('anti-affinity', 'soft-anti-affinity')),
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX server_group_by_project ON server_group (project_id, created_at, id);

ALTER TABLE server_directory ADD COLUMN security_groups TEXT;   -- JSON list; NULL = never recorded

CREATE INDEX server_directory_by_group ON server_directory (server_group) WHERE server_group IS NOT NULL;
