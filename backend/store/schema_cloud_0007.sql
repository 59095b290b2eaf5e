-- Seventh migration of cloud.db: what hangs on servers besides drives, for the whole cloud.
-- An address has one holder, whatever cell that is in.

CREATE TABLE tag (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    name TEXT NOT NULL,
    meta TEXT NOT NULL,                         -- JSON object
    version INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

CREATE TABLE address (
    id TEXT PRIMARY KEY,                        -- the address itself
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    meta TEXT NOT NULL,
    tags TEXT NOT NULL,                         -- JSON list of words, as servers and drives have them
    version INTEGER NOT NULL
) STRICT;

CREATE INDEX address_by_project ON address (project_id);

CREATE TABLE vlan (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    meta TEXT NOT NULL,
    tags TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE INDEX vlan_by_project ON vlan (project_id);

CREATE TABLE firewall_policy (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    name TEXT NOT NULL,
    rules TEXT NOT NULL,                        -- JSON list of objects
    meta TEXT NOT NULL,
    tags TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE INDEX firewall_policy_by_project ON firewall_policy (project_id);

CREATE TABLE key_pair (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,                   -- the private half is kept nowhere
    fingerprint TEXT NOT NULL,
    meta TEXT NOT NULL,
    tags TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE INDEX key_pair_by_project ON key_pair (project_id);

CREATE TABLE profile (
    id TEXT PRIMARY KEY REFERENCES account (id),
    state TEXT NOT NULL CHECK (state IN ('REGULAR', 'NEW_USER', 'TRIAL')),
    attributes TEXT NOT NULL,                   -- JSON object
    meta TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE interface (
    number INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: the hardware address is made of it
    server_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    model TEXT NOT NULL,
    boot_order INTEGER,
    configuration TEXT CHECK (configuration IN ('dhcp', 'static', 'manual')),
    address TEXT UNIQUE REFERENCES address (id),
    vlan_id TEXT REFERENCES vlan (id),
    policy_id TEXT REFERENCES firewall_policy (id) ON DELETE SET NULL,
    CHECK (configuration IS NULL OR vlan_id IS NULL),
    CHECK ((address IS NOT NULL) = (configuration IS 'static'))
) STRICT;

-- The address that is lent to it is made of its number too, and there are only so many (`LENT_MAX`).
CREATE UNIQUE INDEX interface_lent ON interface (number % 4128768);
CREATE INDEX interface_of_server ON interface (server_id, position);
CREATE INDEX interface_of_project ON interface (project_id) WHERE configuration IS NOT NULL;
CREATE INDEX interface_with_vlan ON interface (vlan_id) WHERE vlan_id IS NOT NULL;
CREATE INDEX interface_with_policy ON interface (policy_id) WHERE policy_id IS NOT NULL;

CREATE TABLE server_key_pair (
    server_id TEXT NOT NULL,
    key_pair_id TEXT NOT NULL REFERENCES key_pair (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    PRIMARY KEY (server_id, key_pair_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX server_key_pair_by_key ON server_key_pair (key_pair_id);

-- Accounts that are there already get what new ones get: see `networks.allot`, which counts in the same way.
INSERT INTO address (id, project_id, owner, created_at, meta, tags, version)
SELECT printf('198.%d.%d.%d', 18 + n / 252 / 256, n / 252 % 256, 2 + n % 252), project_id, name, created_at, '{}', '[]', 1
FROM (
    SELECT (dense_rank() OVER (ORDER BY account.rowid) - 1) * 4 + value AS n, project_id, name, created_at
    FROM account, cloud, json_each('[0, 1, 2, 3]')
)
WHERE n < 512 * 252;

INSERT INTO vlan (id, project_id, owner, created_at, meta, tags, version)
SELECT substr(cloud_id, 1, 24) || printf('%012x', n), project_id, name, created_at, '{}', '[]', 1
FROM (
    SELECT (dense_rank() OVER (ORDER BY account.rowid) - 1) * 2 + value AS n, project_id, name, created_at, cloud_id
    FROM account, cloud, json_each('[0, 1]')
);
