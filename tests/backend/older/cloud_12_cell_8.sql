-- file: cloud.db
PRAGMA user_version = 12;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'cloud','0001_first_schema','2026-11-21 19:41:34.217733+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'cloud','0002_events_by_instant','2026-11-21 19:41:34.222348+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'cloud','0003_hosts_known_centrally','2026-11-21 19:41:34.224076+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'cloud','0004_server_groups','2026-11-21 19:41:34.224660+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'cloud','0005_open_tasks_known_centrally','2026-11-21 19:41:34.225153+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'cloud','0006_snapshots','2026-11-21 19:41:34.225478+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'cloud','0007_networks','2026-11-21 19:41:34.231452+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'cloud','0008_backup_sources','2026-11-21 19:41:34.248964+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'cloud','0009_money','2026-11-21 19:41:34.254108+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'cloud','0010_corrections','2026-11-21 20:15:12.048635+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'cloud','0011_tasks_in_the_log','2026-11-21 20:19:27.516735+00:00');
INSERT INTO "_sqlite_migrations" VALUES(12,'cloud','0012_beginning_of_the_log','2026-11-22 01:56:23.200363+00:00');
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES project (id),
    is_staff INTEGER NOT NULL CHECK (is_staff IN (0, 1)),
    may_backfill INTEGER NOT NULL CHECK (may_backfill IN (0, 1))
) STRICT;
INSERT INTO "account" VALUES('operator@example.org','1','inside',1,1);
INSERT INTO "account" VALUES('tenant@example.org','2','outside',0,0);
CREATE TABLE address (
    id TEXT PRIMARY KEY,                        -- the address itself
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    meta TEXT NOT NULL,
    tags TEXT NOT NULL,                         -- JSON list of words, as servers and drives have them
    version INTEGER NOT NULL
) STRICT;
INSERT INTO "address" VALUES('198.18.0.2','inside','operator@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "address" VALUES('198.18.0.3','inside','operator@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "address" VALUES('198.18.0.4','inside','operator@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "address" VALUES('198.18.0.5','inside','operator@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "address" VALUES('198.18.0.6','outside','tenant@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "address" VALUES('198.18.0.7','outside','tenant@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "address" VALUES('198.18.0.8','outside','tenant@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "address" VALUES('198.18.0.9','outside','tenant@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
CREATE TABLE backup (
    id TEXT PRIMARY KEY,
    source_id TEXT NOT NULL,
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
, source_kind TEXT NOT NULL DEFAULT 'server', parent_id TEXT) STRICT;
INSERT INTO "backup" VALUES('8d7a54c8-452f-5bc7-9f57-85cab886c9ba','ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','inside','4e3cde72-6e60-5298-a3e1-94d33f1a736a','hourly','ready','2026-11-20T13:00:00.000000Z',10737418240,NULL,'{"server":{"name":"idle-01","owner":"operator@example.org","cpu_mhz":4000,"memory_bytes":4294967296,"smp":1,"meta":{},"tags":[]},"drives":[{"name":"disk-01","size_bytes":10737418240,"media":"disk","device":"virtio","channel":"0:0","boot_order":null}]}',NULL,2,'server',NULL);
INSERT INTO "backup" VALUES('eadbe241-ec5a-5fc0-851c-b7b170481aa6','ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','inside','4e3cde72-6e60-5298-a3e1-94d33f1a736a','hourly','backing_up','2026-11-20T14:00:00.000000Z',10737418240,NULL,'{"server":{"name":"idle-01","owner":"operator@example.org","cpu_mhz":4000,"memory_bytes":4294967296,"smp":1,"meta":{},"tags":[]},"drives":[{"name":"disk-01","size_bytes":10737418240,"media":"disk","device":"virtio","channel":"0:0","boot_order":null}]}',NULL,1,'server',NULL);
CREATE TABLE cell (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    injected TEXT CHECK (injected IN ('down', 'hung')),
    next_sequence INTEGER NOT NULL,             -- ids are uuid5 of (cloud id, cell, sequence)
    epoch INTEGER NOT NULL,                     -- of the newest commit that the cell is known to have acknowledged
    mirrored_event INTEGER NOT NULL             -- last_known tells of the cell's events up to this number
, silent_since TEXT, open_tasks INTEGER) STRICT;
INSERT INTO "cell" VALUES('cell-1',1,NULL,6,14,19,NULL,0);
CREATE TABLE closed_tick (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    tick INTEGER NOT NULL,                      -- rows and burst levels of the ticks before it have been told
    next_place INTEGER NOT NULL
) STRICT;
INSERT INTO "closed_tick" VALUES(1,0,1);
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
INSERT INTO "cloud" VALUES(1,'5d6e1d2e-6a5c-4f0f-9a6b-0d3c2f1b7a11','empty',1,'2026-11-20T12:00:00.000000Z','{}','{"mode":"manual","rate":0.0,"simulated_at":"2026-11-20T14:00:40+00:00"}',4);
CREATE TABLE correction (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES account (name),
    at INTEGER NOT NULL,                        -- when it became known
    resource TEXT NOT NULL,
    begins_at INTEGER NOT NULL,                 -- of what it corrects
    ends_at INTEGER NOT NULL,
    used INTEGER NOT NULL,                      -- as what the rows of the ticks say adds up, so much more
    amount TEXT NOT NULL,                       -- in 10**-20 of the currency; below 0: paid to the account
    place INTEGER NOT NULL
) STRICT;
CREATE TABLE customer (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO "customer" VALUES('customer','customer');
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
INSERT INTO "drive_directory" VALUES('b2ce6924-29e0-5afe-b37a-5d5a5a670fda','cell-1','inside','operator@example.org','2026-11-20T12:00:20.000000Z',10737418240,'ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','active');
CREATE TABLE event (
    number INTEGER PRIMARY KEY,                 -- from 1, gap-free: the next is max + 1 in the same transaction
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object_version INTEGER NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT,
    changes TEXT NOT NULL,                      -- JSON: {field: [before, after]}
    details TEXT NOT NULL                       -- JSON object
) STRICT;
INSERT INTO "event" VALUES(1,'2026-11-20T12:00:30.000000Z','schedule.created','schedule','4e3cde72-6e60-5298-a3e1-94d33f1a736a',1,'operator@example.org',NULL,'{"id":[null,"4e3cde72-6e60-5298-a3e1-94d33f1a736a"],"source_id":[null,"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f"],"project_id":[null,"inside"],"description":[null,"hourly"],"cron":[null,"0 * * * *"],"time_zone":[null,"UTC"],"retention_days":[null,0],"backups_max":[null,3],"is_active":[null,true],"next_trigger_at":[null,"2026-11-20T13:00:00.000000Z"],"created_at":[null,"2026-11-20T12:00:30.000000Z"],"source_kind":[null,"server"],"jitter_seconds":[null,0],"drill_days":[null,0],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(2,'2026-11-20T13:00:00.000000Z','backup.created','backup','8d7a54c8-452f-5bc7-9f57-85cab886c9ba',1,'cloud',NULL,'{"id":[null,"8d7a54c8-452f-5bc7-9f57-85cab886c9ba"],"source_id":[null,"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f"],"project_id":[null,"inside"],"schedule_id":[null,"4e3cde72-6e60-5298-a3e1-94d33f1a736a"],"description":[null,"hourly"],"state":[null,"backing_up"],"created_at":[null,"2026-11-20T13:00:00.000000Z"],"size_bytes":[null,10737418240],"source_kind":[null,"server"],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(3,'2026-11-20T13:00:00.000000Z','schedule.ran','schedule','4e3cde72-6e60-5298-a3e1-94d33f1a736a',2,'cloud',NULL,'{"next_trigger_at":["2026-11-20T13:00:00.000000Z","2026-11-20T14:00:00.000000Z"],"last_run_at":[null,"2026-11-20T13:00:00.000000Z"]}','{"due_at":"2026-11-20T13:00:00+00:00","backup":"8d7a54c8-452f-5bc7-9f57-85cab886c9ba"}');
INSERT INTO "event" VALUES(4,'2026-11-20T13:00:52.000000Z','backup.ready','backup','8d7a54c8-452f-5bc7-9f57-85cab886c9ba',2,'cloud',NULL,'{"state":["backing_up","ready"]}','{}');
INSERT INTO "event" VALUES(5,'2026-11-20T14:00:00.000000Z','backup.created','backup','eadbe241-ec5a-5fc0-851c-b7b170481aa6',1,'cloud',NULL,'{"id":[null,"eadbe241-ec5a-5fc0-851c-b7b170481aa6"],"source_id":[null,"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f"],"project_id":[null,"inside"],"schedule_id":[null,"4e3cde72-6e60-5298-a3e1-94d33f1a736a"],"description":[null,"hourly"],"state":[null,"backing_up"],"created_at":[null,"2026-11-20T14:00:00.000000Z"],"size_bytes":[null,10737418240],"source_kind":[null,"server"],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(6,'2026-11-20T14:00:00.000000Z','schedule.ran','schedule','4e3cde72-6e60-5298-a3e1-94d33f1a736a',3,'cloud',NULL,'{"next_trigger_at":["2026-11-20T14:00:00.000000Z","2026-11-20T15:00:00.000000Z"],"last_run_at":["2026-11-20T13:00:00.000000Z","2026-11-20T14:00:00.000000Z"]}','{"due_at":"2026-11-20T14:00:00+00:00","backup":"eadbe241-ec5a-5fc0-851c-b7b170481aa6"}');
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
CREATE TABLE host_directory (
    name TEXT PRIMARY KEY,
    cell TEXT NOT NULL REFERENCES cell (name),
    kind TEXT NOT NULL CHECK (kind IN ('compute', 'storage'))
) STRICT;
INSERT INTO "host_directory" VALUES('c1-h1','cell-1','compute');
INSERT INTO "host_directory" VALUES('s1-1','cell-1','storage');
INSERT INTO "host_directory" VALUES('s1-2','cell-1','storage');
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
CREATE TABLE last_known (
    id TEXT NOT NULL,                           -- of a host: its name
    object_kind TEXT NOT NULL CHECK (object_kind IN ('server', 'drive', 'host')),
    cell TEXT NOT NULL,
    known_at TEXT NOT NULL,
    picture TEXT NOT NULL,                      -- JSON: name, state, host, size, effective, tags, ...
    PRIMARY KEY (id, object_kind)
) STRICT;
INSERT INTO "last_known" VALUES('c1-h1','host','cell-1','2026-11-20T12:00:00.000000Z','{"name":"c1-h1","kind":"compute","state":"up","state_since":"2026-11-20T12:00:00.000000Z","cpu_mhz":16000,"memory_bytes":68719476736,"storage_bytes":0,"version":1}');
INSERT INTO "last_known" VALUES('s1-1','host','cell-1','2026-11-20T12:00:00.000000Z','{"name":"s1-1","kind":"storage","state":"up","state_since":"2026-11-20T12:00:00.000000Z","cpu_mhz":0,"memory_bytes":0,"storage_bytes":1073741824000,"version":1}');
INSERT INTO "last_known" VALUES('s1-2','host','cell-1','2026-11-20T12:00:00.000000Z','{"name":"s1-2","kind":"storage","state":"up","state_since":"2026-11-20T12:00:00.000000Z","cpu_mhz":0,"memory_bytes":0,"storage_bytes":1073741824000,"version":1}');
INSERT INTO "last_known" VALUES('10f0c0d7-b3a7-5f22-ad17-908216fece8e','server','cell-1','2026-11-20T12:00:00.000000Z','{"id":"10f0c0d7-b3a7-5f22-ad17-908216fece8e","name":"web-01","project_id":"inside","owner":"operator@example.org","state":"running","state_since":"2026-11-20T12:00:08.000000Z","created_at":"2026-11-20T12:00:00.000000Z","cpu_mhz":4000,"memory_bytes":4294967296,"smp":1,"is_backfilling":false,"cpu_floor_permille":0,"memory_floor_permille":0,"host":"c1-h1","cpu_mhz_floor":4000,"memory_bytes_floor":4294967296,"cpu_mhz_effective":4000,"memory_bytes_effective":4294967296,"started_at":"2026-11-20T12:00:00.000000Z","has_run":true,"displaced_count":0,"restarts":false,"version":4}');
INSERT INTO "last_known" VALUES('2baedb5e-73d1-5d82-bfa2-422fa5265c63','server','cell-1','2026-11-20T12:00:00.000000Z','{"id":"2baedb5e-73d1-5d82-bfa2-422fa5265c63","name":"batch-01","project_id":"inside","owner":"operator@example.org","state":"running","state_since":"2026-11-20T12:00:18.000000Z","created_at":"2026-11-20T12:00:10.000000Z","cpu_mhz":12000,"memory_bytes":4294967296,"smp":1,"is_backfilling":true,"cpu_floor_permille":0,"memory_floor_permille":0,"host":"c1-h1","cpu_mhz_floor":3000,"memory_bytes_floor":1073741824,"cpu_mhz_effective":4000,"memory_bytes_effective":4294967296,"started_at":"2026-11-20T12:00:10.000000Z","has_run":true,"squeezed_by":"e5128536-51f6-57c6-b425-7d8f5e600c09","squeezed_at":"2026-11-20T14:00:30.000000Z","displaced_count":0,"restarts":false,"version":4}');
INSERT INTO "last_known" VALUES('ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','server','cell-1','2026-11-20T12:00:00.000000Z','{"id":"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f","name":"idle-01","project_id":"inside","owner":"operator@example.org","state":"stopped","state_since":"2026-11-20T12:00:20.000000Z","created_at":"2026-11-20T12:00:20.000000Z","cpu_mhz":4000,"memory_bytes":4294967296,"smp":1,"is_backfilling":false,"cpu_floor_permille":0,"memory_floor_permille":0,"has_run":false,"displaced_count":0,"restarts":false,"version":1}');
INSERT INTO "last_known" VALUES('b2ce6924-29e0-5afe-b37a-5d5a5a670fda','drive','cell-1','2026-11-20T12:00:00.000000Z','{"id":"b2ce6924-29e0-5afe-b37a-5d5a5a670fda","name":"disk-01","project_id":"inside","owner":"operator@example.org","state":"mounted","state_since":"2026-11-20T12:00:30.000000Z","created_at":"2026-11-20T12:00:20.000000Z","size_bytes":10737418240,"media":"disk","host":"s1-1","server_id":"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f","device":"virtio","channel":"0:0","version":3}');
INSERT INTO "last_known" VALUES('e5128536-51f6-57c6-b425-7d8f5e600c09','server','cell-1','2026-11-20T12:00:00.000000Z','{"id":"e5128536-51f6-57c6-b425-7d8f5e600c09","name":"db-01","project_id":"inside","owner":"operator@example.org","state":"running","state_since":"2026-11-20T14:00:38.000000Z","created_at":"2026-11-20T14:00:30.000000Z","cpu_mhz":8000,"memory_bytes":4294967296,"smp":1,"is_backfilling":false,"cpu_floor_permille":0,"memory_floor_permille":0,"host":"c1-h1","cpu_mhz_floor":8000,"memory_bytes_floor":4294967296,"cpu_mhz_effective":8000,"memory_bytes_effective":4294967296,"started_at":"2026-11-20T14:00:30.000000Z","has_run":true,"displaced_count":0,"restarts":false,"version":4}');
CREATE TABLE late_step (
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    file TEXT NOT NULL,
    is_fresh INTEGER NOT NULL CHECK (is_fresh IN (0, 1)),
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account, resource, file, is_fresh, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_beginning (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    number INTEGER NOT NULL,
    at TEXT NOT NULL
) STRICT;
INSERT INTO "log_beginning" VALUES(1,0,'');
CREATE TABLE membership (
    account TEXT NOT NULL REFERENCES account (name),
    role TEXT NOT NULL CHECK (role IN ('customer_owner', 'project_manager', 'project_admin')),
    scope_id TEXT NOT NULL,                     -- a customer's id, or a project's
    PRIMARY KEY (account, role, scope_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "membership" VALUES('operator@example.org','project_admin','inside');
INSERT INTO "membership" VALUES('tenant@example.org','project_admin','outside');
CREATE TABLE metered (
    file TEXT PRIMARY KEY,
    event_number INTEGER NOT NULL               -- up to which the file's events have been taken
) STRICT, WITHOUT ROWID;
CREATE TABLE payment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES account (name),
    at INTEGER NOT NULL,
    amount TEXT NOT NULL,                       -- to the account, in 10**-20 of the currency
    reason TEXT NOT NULL
, place INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE presumed_interval (
    object_id TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    file TEXT NOT NULL,
    account TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER CHECK (ended_at IS NULL),
    state TEXT NOT NULL,                        -- 'gone' of one that is no more
    cpu_mhz INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    cpu_mhz_had INTEGER NOT NULL,
    memory_bytes_had INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    is_backfilling INTEGER NOT NULL,
    cpu_type TEXT NOT NULL,
    cpu_mhz_effective INTEGER NOT NULL,
    memory_bytes_effective INTEGER NOT NULL,
    sent_rate INTEGER NOT NULL,
    PRIMARY KEY (file, object_kind, object_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE profile (
    id TEXT PRIMARY KEY REFERENCES account (id),
    state TEXT NOT NULL CHECK (state IN ('REGULAR', 'NEW_USER', 'TRIAL')),
    attributes TEXT NOT NULL,                   -- JSON object
    meta TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE TABLE project (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    customer_id TEXT NOT NULL REFERENCES customer (id),
    servers_max INTEGER,                        -- quotas; NULL = none
    cpu_mhz_max INTEGER,
    memory_bytes_max INTEGER,
    storage_bytes_max INTEGER
) STRICT;
INSERT INTO "project" VALUES('inside','inside','customer',NULL,NULL,NULL,NULL);
INSERT INTO "project" VALUES('outside','outside','customer',NULL,NULL,NULL,NULL);
CREATE TABLE purse (
    account TEXT PRIMARY KEY REFERENCES account (name),
    is_finite INTEGER NOT NULL CHECK (is_finite IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE TABLE request (
    key TEXT PRIMARY KEY,                       -- account and Idempotency-Key
    digest TEXT NOT NULL,                       -- of method, path and body: the same key for another request is a conflict
    answer TEXT NOT NULL,                       -- JSON
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE schedule (
    id TEXT PRIMARY KEY,
    source_id TEXT NOT NULL,
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
    version INTEGER NOT NULL, source_kind TEXT NOT NULL DEFAULT 'server', jitter_seconds INTEGER NOT NULL DEFAULT 0 CHECK (jitter_seconds >= 0), keeps TEXT NOT NULL DEFAULT '{}', target_seconds INTEGER CHECK (target_seconds > 0), drill_days INTEGER NOT NULL DEFAULT 0 CHECK (drill_days >= 0), drilled_at TEXT, drill_seconds INTEGER, drill_problem TEXT,
    CHECK ((is_active = 1) = (next_trigger_at IS NOT NULL))
) STRICT;
INSERT INTO "schedule" VALUES('4e3cde72-6e60-5298-a3e1-94d33f1a736a','ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','inside','hourly','0 * * * *','UTC',0,3,1,'2026-11-20T15:00:00.000000Z','2026-11-20T12:00:30.000000Z','2026-11-20T14:00:00.000000Z',NULL,NULL,3,'server',0,'{}',NULL,0,NULL,NULL,NULL);
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
, security_groups TEXT) STRICT;
INSERT INTO "server_directory" VALUES('10f0c0d7-b3a7-5f22-ad17-908216fece8e','cell-1','inside','operator@example.org','2026-11-20T12:00:00.000000Z',4000,4294967296,0,NULL,NULL,NULL,NULL,'active',NULL);
INSERT INTO "server_directory" VALUES('2baedb5e-73d1-5d82-bfa2-422fa5265c63','cell-1','inside','operator@example.org','2026-11-20T12:00:10.000000Z',12000,4294967296,1,NULL,NULL,NULL,NULL,'active',NULL);
INSERT INTO "server_directory" VALUES('ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','cell-1','inside','operator@example.org','2026-11-20T12:00:20.000000Z',4000,4294967296,0,NULL,NULL,NULL,NULL,'active',NULL);
INSERT INTO "server_directory" VALUES('e5128536-51f6-57c6-b425-7d8f5e600c09','cell-1','inside','operator@example.org','2026-11-20T14:00:30.000000Z',8000,4294967296,0,NULL,NULL,NULL,NULL,'active',NULL);
CREATE TABLE server_group (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    policy TEXT NOT NULL CHECK (policy IN ('anti-affinity', 'soft-anti-affinity')),
    created_at TEXT NOT NULL
) STRICT;
CREATE TABLE server_key_pair (
    server_id TEXT NOT NULL,
    key_pair_id TEXT NOT NULL REFERENCES key_pair (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    PRIMARY KEY (server_id, key_pair_id)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE subscription (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES account (name),
    resource TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    period TEXT NOT NULL,                       -- as it was asked for; empty where an end was
    renews INTEGER NOT NULL CHECK (renews IN (0, 1)),
    parent INTEGER REFERENCES subscription (number)
) STRICT;
CREATE TABLE subscription_term (
    subscription INTEGER NOT NULL REFERENCES subscription (number),
    bought_at INTEGER NOT NULL,
    begins_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL CHECK (ends_at > begins_at),
    price TEXT NOT NULL, place INTEGER NOT NULL DEFAULT 0,                        -- in 10**-20 of the currency
    PRIMARY KEY (subscription, begins_at)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed', 'cancelled')),
    ended_at TEXT,
    result TEXT,
    actor TEXT NOT NULL,
    payload TEXT NOT NULL, begun_number INTEGER, ended_number INTEGER,
    CHECK ((state = 'open') = (ended_at IS NULL))
) STRICT;
INSERT INTO "task" VALUES(1,'backup','backup','8d7a54c8-452f-5bc7-9f57-85cab886c9ba','2026-11-20T13:00:00.000000Z','2026-11-20T13:00:52.000000Z','done','2026-11-20T13:00:52.000000Z',NULL,'cloud','{"name":"idle-01","server":"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f","bytes_total":10737418240,"rate_bytes_per_second":209715200,"cells":["cell-1"],"drives":{"b2ce6924-29e0-5afe-b37a-5d5a5a670fda":"cell-1"}}',NULL,NULL);
INSERT INTO "task" VALUES(2,'backup','backup','eadbe241-ec5a-5fc0-851c-b7b170481aa6','2026-11-20T14:00:00.000000Z','2026-11-20T14:00:52.000000Z','open',NULL,NULL,'cloud','{"name":"idle-01","server":"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f","bytes_total":10737418240,"rate_bytes_per_second":209715200,"cells":["cell-1"],"drives":{"b2ce6924-29e0-5afe-b37a-5d5a5a670fda":"cell-1"}}',NULL,NULL);
CREATE TABLE task_put_off (
    task_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    due_at TEXT NOT NULL,                       -- as it was before
    payload TEXT NOT NULL                       -- as it was before: JSON
) STRICT;
CREATE TABLE traffic_rate (
    server_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    rate INTEGER NOT NULL,                      -- in 256ths of a byte a second
    PRIMARY KEY (server_id, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_interval (
    number INTEGER PRIMARY KEY,
    object_id TEXT NOT NULL,
    object_kind TEXT NOT NULL CHECK (object_kind IN ('server', 'drive', 'host')),
    file TEXT NOT NULL,
    account TEXT NOT NULL,                      -- its owner's name; of a host: empty
    begun_at INTEGER NOT NULL,
    ended_at INTEGER CHECK (ended_at > begun_at),   -- NULL while it lasts
    state TEXT NOT NULL,
    cpu_mhz INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    cpu_mhz_had INTEGER NOT NULL,
    memory_bytes_had INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    is_backfilling INTEGER NOT NULL CHECK (is_backfilling IN (0, 1)),
    cpu_type TEXT NOT NULL,
    cpu_mhz_effective INTEGER NOT NULL,
    memory_bytes_effective INTEGER NOT NULL,
    sent_rate INTEGER NOT NULL
) STRICT;
CREATE TABLE usage_step (
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    file TEXT NOT NULL,
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account, resource, file, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE vlan (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    meta TEXT NOT NULL,
    tags TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
INSERT INTO "vlan" VALUES('5d6e1d2e-6a5c-4f0f-9a6b-000000000000','inside','operator@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "vlan" VALUES('5d6e1d2e-6a5c-4f0f-9a6b-000000000001','inside','operator@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "vlan" VALUES('5d6e1d2e-6a5c-4f0f-9a6b-000000000002','outside','tenant@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
INSERT INTO "vlan" VALUES('5d6e1d2e-6a5c-4f0f-9a6b-000000000003','outside','tenant@example.org','2026-11-20T12:00:00.000000Z','{}','[]',1);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX task_due ON task (due_at, id) WHERE state = 'open';
CREATE INDEX task_of_object ON task (object_id, id);
CREATE INDEX task_ended ON task (ended_at) WHERE state <> 'open';
CREATE INDEX server_directory_by_project ON server_directory (project_id, created_at, id, cpu_mhz, memory_bytes);
CREATE INDEX server_directory_by_created ON server_directory (created_at, id);
CREATE INDEX server_directory_by_cell ON server_directory (cell, id);
CREATE INDEX server_directory_unfinished ON server_directory (cell, id) WHERE state <> 'active';
CREATE INDEX drive_directory_by_project ON drive_directory (project_id, created_at, id, size_bytes);
CREATE INDEX drive_directory_by_created ON drive_directory (created_at, id);
CREATE INDEX drive_directory_by_cell ON drive_directory (cell, id);
CREATE INDEX drive_directory_by_server ON drive_directory (server_id) WHERE server_id IS NOT NULL;
CREATE INDEX drive_directory_unfinished ON drive_directory (cell, id) WHERE state <> 'active';
CREATE INDEX schedule_due ON schedule (next_trigger_at) WHERE is_active = 1;
CREATE INDEX schedule_of_server ON schedule (source_id);
CREATE INDEX backup_of_schedule ON backup (schedule_id, created_at);
CREATE INDEX backup_of_server ON backup (source_id, created_at);
CREATE INDEX backup_of_project ON backup (project_id, size_bytes);
CREATE INDEX backup_expiring ON backup (kept_until) WHERE kept_until IS NOT NULL;
CREATE INDEX event_by_instant ON event (at, number);
CREATE INDEX event_by_object ON event (object_id, at, number);
CREATE INDEX host_directory_by_cell ON host_directory (cell, name);
CREATE INDEX last_known_by_cell ON last_known (cell, object_kind, id);
CREATE INDEX server_group_by_project ON server_group (project_id, created_at, id);
CREATE INDEX server_directory_by_group ON server_directory (server_group) WHERE server_group IS NOT NULL;
CREATE INDEX snapshot_of_drive ON snapshot (drive_id, created_at, id);
CREATE INDEX snapshot_of_project ON snapshot (project_id, created_at, id, size_bytes);
CREATE INDEX address_by_project ON address (project_id);
CREATE INDEX vlan_by_project ON vlan (project_id);
CREATE INDEX firewall_policy_by_project ON firewall_policy (project_id);
CREATE INDEX key_pair_by_project ON key_pair (project_id);
CREATE UNIQUE INDEX interface_lent ON interface (number % 4128768);
CREATE INDEX interface_of_server ON interface (server_id, position);
CREATE INDEX interface_of_project ON interface (project_id) WHERE configuration IS NOT NULL;
CREATE INDEX interface_with_vlan ON interface (vlan_id) WHERE vlan_id IS NOT NULL;
CREATE INDEX interface_with_policy ON interface (policy_id) WHERE policy_id IS NOT NULL;
CREATE INDEX server_key_pair_by_key ON server_key_pair (key_pair_id);
CREATE INDEX schedule_owed ON schedule (id) WHERE missed_since IS NOT NULL;
CREATE INDEX schedule_by_created ON schedule (created_at, id);
CREATE INDEX backup_of_parent ON backup (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX backup_by_created ON backup (created_at, id);
CREATE UNIQUE INDEX usage_interval_open ON usage_interval (file, object_kind, object_id) WHERE ended_at IS NULL;
CREATE INDEX usage_interval_of_object ON usage_interval (object_id, begun_at);
CREATE INDEX usage_step_by_instant ON usage_step (account, at);
CREATE INDEX payment_of_account ON payment (account, at);
CREATE INDEX subscription_of_account ON subscription (account, number);
CREATE INDEX late_step_fresh ON late_step (account, resource, at) WHERE is_fresh = 1;
CREATE INDEX correction_of_account ON correction (account, at);
CREATE INDEX usage_interval_of_servers ON usage_interval (ended_at) WHERE object_kind = 'server';
CREATE INDEX task_ended_in_the_log ON task (ended_number) WHERE ended_number IS NOT NULL;
CREATE INDEX task_put_off_of ON task_put_off (task_id, number);
CREATE INDEX request_by_instant ON request (at);
DELETE FROM "sqlite_sequence";
COMMIT;
-- file: cells/cell-1.db
PRAGMA user_version = 8;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'cell','0001_first_schema','2026-11-21 19:41:34.266016+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'cell','0002_lost_hosts','2026-11-21 19:41:34.267117+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'cell','0003_events_by_instant','2026-11-21 19:41:34.267413+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'cell','0004_restarts','2026-11-21 19:41:34.267924+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'cell','0005_cheaper_writes','2026-11-21 19:41:34.276098+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'cell','0006_tasks_in_the_log','2026-11-21 20:19:27.522516+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'cell','0007_beginning_of_the_log','2026-11-22 01:56:23.259710+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'cell','0008_what_the_file_holds','2026-11-22 06:09:01.714985+00:00');
CREATE TABLE "drive" (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state = 'mounted' OR state = 'unmounted' OR state = 'creating' OR state = 'cloning_src'
               OR state = 'cloning_dst' OR state = 'resizing' OR state = 'uploading' OR state = 'unavailable'),
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
    lost_from TEXT
        CHECK (lost_from = 'mounted' OR lost_from = 'unmounted' OR lost_from = 'creating' OR lost_from = 'cloning_src'
               OR lost_from = 'cloning_dst' OR lost_from = 'resizing' OR lost_from = 'uploading'),
    version INTEGER NOT NULL,
    CHECK (state <> 'mounted' OR server_id IS NOT NULL)
) STRICT;
INSERT INTO "drive" VALUES('b2ce6924-29e0-5afe-b37a-5d5a5a670fda','disk-01','inside','operator@example.org','mounted','2026-11-20T12:00:30.000000Z','2026-11-20T12:00:20.000000Z',10737418240,'disk','s1-1','ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','virtio','0:0',NULL,'[]','{}','[]','{}',NULL,3);
CREATE TABLE event (
    number INTEGER PRIMARY KEY,                 -- from 1, gap-free: the next is max + 1 in the same transaction
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object_version INTEGER NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT,
    changes TEXT NOT NULL,                      -- JSON: {field: [before, after]}
    details TEXT NOT NULL                       -- JSON object
) STRICT;
INSERT INTO "event" VALUES(1,'2026-11-20T12:00:00.000000Z','host.created','host','c1-h1',1,'cloud',NULL,'{"name":[null,"c1-h1"],"kind":[null,"compute"],"state":[null,"up"],"state_since":[null,"2026-11-20T12:00:00.000000Z"],"cpu_mhz":[null,16000],"memory_bytes":[null,68719476736],"storage_bytes":[null,0],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(2,'2026-11-20T12:00:00.000000Z','host.created','host','s1-1',1,'cloud',NULL,'{"name":[null,"s1-1"],"kind":[null,"storage"],"state":[null,"up"],"state_since":[null,"2026-11-20T12:00:00.000000Z"],"cpu_mhz":[null,0],"memory_bytes":[null,0],"storage_bytes":[null,1073741824000],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(3,'2026-11-20T12:00:00.000000Z','host.created','host','s1-2',1,'cloud',NULL,'{"name":[null,"s1-2"],"kind":[null,"storage"],"state":[null,"up"],"state_since":[null,"2026-11-20T12:00:00.000000Z"],"cpu_mhz":[null,0],"memory_bytes":[null,0],"storage_bytes":[null,1073741824000],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(4,'2026-11-20T12:00:00.000000Z','server.created','server','10f0c0d7-b3a7-5f22-ad17-908216fece8e',1,'operator@example.org',NULL,'{"id":[null,"10f0c0d7-b3a7-5f22-ad17-908216fece8e"],"name":[null,"web-01"],"project_id":[null,"inside"],"owner":[null,"operator@example.org"],"state":[null,"stopped"],"state_since":[null,"2026-11-20T12:00:00.000000Z"],"created_at":[null,"2026-11-20T12:00:00.000000Z"],"cpu_mhz":[null,4000],"memory_bytes":[null,4294967296],"smp":[null,1],"is_backfilling":[null,false],"cpu_floor_permille":[null,0],"memory_floor_permille":[null,0],"has_run":[null,false],"displaced_count":[null,0],"restarts":[null,false],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(5,'2026-11-20T12:00:00.000000Z','server.placed','server','10f0c0d7-b3a7-5f22-ad17-908216fece8e',2,'operator@example.org',NULL,'{"state":["stopped","starting"],"host":[null,"c1-h1"],"cpu_mhz_floor":[null,4000],"memory_bytes_floor":[null,4294967296],"cpu_mhz_effective":[null,0],"memory_bytes_effective":[null,0],"started_at":[null,"2026-11-20T12:00:00.000000Z"],"waits":[null,5]}','{"decision":{"host":"c1-h1","decided_by":"only","stops":[],"shrinks":0,"waits":false,"avoided":[],"runner_up":null,"is_proved":true}}');
INSERT INTO "event" VALUES(6,'2026-11-20T12:00:00.000000Z','server.admitted','server','10f0c0d7-b3a7-5f22-ad17-908216fece8e',3,'operator@example.org',NULL,'{"cpu_mhz_effective":[0,4000],"memory_bytes_effective":[0,4294967296],"waits":[5,null]}','{}');
INSERT INTO "event" VALUES(7,'2026-11-20T12:00:08.000000Z','server.running','server','10f0c0d7-b3a7-5f22-ad17-908216fece8e',4,'operator@example.org',NULL,'{"state":["starting","running"],"state_since":["2026-11-20T12:00:00.000000Z","2026-11-20T12:00:08.000000Z"],"has_run":[false,true]}','{"task":1}');
INSERT INTO "event" VALUES(8,'2026-11-20T12:00:10.000000Z','server.created','server','2baedb5e-73d1-5d82-bfa2-422fa5265c63',1,'operator@example.org',NULL,'{"id":[null,"2baedb5e-73d1-5d82-bfa2-422fa5265c63"],"name":[null,"batch-01"],"project_id":[null,"inside"],"owner":[null,"operator@example.org"],"state":[null,"stopped"],"state_since":[null,"2026-11-20T12:00:10.000000Z"],"created_at":[null,"2026-11-20T12:00:10.000000Z"],"cpu_mhz":[null,12000],"memory_bytes":[null,4294967296],"smp":[null,1],"is_backfilling":[null,true],"cpu_floor_permille":[null,0],"memory_floor_permille":[null,0],"has_run":[null,false],"displaced_count":[null,0],"restarts":[null,false],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(9,'2026-11-20T12:00:10.000000Z','server.placed','server','2baedb5e-73d1-5d82-bfa2-422fa5265c63',2,'operator@example.org',NULL,'{"state":["stopped","starting"],"host":[null,"c1-h1"],"cpu_mhz_floor":[null,3000],"memory_bytes_floor":[null,1073741824],"cpu_mhz_effective":[null,12000],"memory_bytes_effective":[null,4294967296],"started_at":[null,"2026-11-20T12:00:10.000000Z"]}','{"decision":{"host":"c1-h1","decided_by":"only","stops":[],"shrinks":0,"waits":false,"avoided":[],"runner_up":null,"is_proved":true}}');
INSERT INTO "event" VALUES(10,'2026-11-20T12:00:18.000000Z','server.running','server','2baedb5e-73d1-5d82-bfa2-422fa5265c63',3,'operator@example.org',NULL,'{"state":["starting","running"],"state_since":["2026-11-20T12:00:10.000000Z","2026-11-20T12:00:18.000000Z"],"has_run":[false,true]}','{"task":2}');
INSERT INTO "event" VALUES(11,'2026-11-20T12:00:20.000000Z','server.created','server','ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f',1,'operator@example.org',NULL,'{"id":[null,"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f"],"name":[null,"idle-01"],"project_id":[null,"inside"],"owner":[null,"operator@example.org"],"state":[null,"stopped"],"state_since":[null,"2026-11-20T12:00:20.000000Z"],"created_at":[null,"2026-11-20T12:00:20.000000Z"],"cpu_mhz":[null,4000],"memory_bytes":[null,4294967296],"smp":[null,1],"is_backfilling":[null,false],"cpu_floor_permille":[null,0],"memory_floor_permille":[null,0],"has_run":[null,false],"displaced_count":[null,0],"restarts":[null,false],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(12,'2026-11-20T12:00:20.000000Z','drive.created','drive','b2ce6924-29e0-5afe-b37a-5d5a5a670fda',1,'operator@example.org',NULL,'{"id":[null,"b2ce6924-29e0-5afe-b37a-5d5a5a670fda"],"name":[null,"disk-01"],"project_id":[null,"inside"],"owner":[null,"operator@example.org"],"state":[null,"creating"],"state_since":[null,"2026-11-20T12:00:20.000000Z"],"created_at":[null,"2026-11-20T12:00:20.000000Z"],"size_bytes":[null,10737418240],"media":[null,"disk"],"host":[null,"s1-1"],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(13,'2026-11-20T12:00:23.000000Z','drive.unmounted','drive','b2ce6924-29e0-5afe-b37a-5d5a5a670fda',2,'operator@example.org',NULL,'{"state":["creating","unmounted"],"state_since":["2026-11-20T12:00:20.000000Z","2026-11-20T12:00:23.000000Z"]}','{}');
INSERT INTO "event" VALUES(14,'2026-11-20T12:00:30.000000Z','drive.attached','drive','b2ce6924-29e0-5afe-b37a-5d5a5a670fda',3,'operator@example.org',NULL,'{"state":["unmounted","mounted"],"state_since":["2026-11-20T12:00:23.000000Z","2026-11-20T12:00:30.000000Z"],"server_id":[null,"ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f"],"device":[null,"virtio"],"channel":[null,"0:0"]}','{}');
INSERT INTO "event" VALUES(15,'2026-11-20T14:00:30.000000Z','server.created','server','e5128536-51f6-57c6-b425-7d8f5e600c09',1,'operator@example.org',NULL,'{"id":[null,"e5128536-51f6-57c6-b425-7d8f5e600c09"],"name":[null,"db-01"],"project_id":[null,"inside"],"owner":[null,"operator@example.org"],"state":[null,"stopped"],"state_since":[null,"2026-11-20T14:00:30.000000Z"],"created_at":[null,"2026-11-20T14:00:30.000000Z"],"cpu_mhz":[null,8000],"memory_bytes":[null,4294967296],"smp":[null,1],"is_backfilling":[null,false],"cpu_floor_permille":[null,0],"memory_floor_permille":[null,0],"has_run":[null,false],"displaced_count":[null,0],"restarts":[null,false],"version":[null,1]}','{}');
INSERT INTO "event" VALUES(16,'2026-11-20T14:00:30.000000Z','server.placed','server','e5128536-51f6-57c6-b425-7d8f5e600c09',2,'operator@example.org',NULL,'{"state":["stopped","starting"],"host":[null,"c1-h1"],"cpu_mhz_floor":[null,8000],"memory_bytes_floor":[null,4294967296],"cpu_mhz_effective":[null,0],"memory_bytes_effective":[null,0],"started_at":[null,"2026-11-20T14:00:30.000000Z"],"waits":[null,16]}','{"certificate":{"v":1,"after":15,"policy":"spread","key":[0,0,0,1]},"decision":{"host":"c1-h1","decided_by":"only","stops":[],"shrinks":1,"waits":false,"avoided":[],"runner_up":null,"is_proved":true}}');
INSERT INTO "event" VALUES(17,'2026-11-20T14:00:30.000000Z','server.admitted','server','e5128536-51f6-57c6-b425-7d8f5e600c09',3,'operator@example.org',NULL,'{"cpu_mhz_effective":[0,8000],"memory_bytes_effective":[0,4294967296],"waits":[16,null]}','{}');
INSERT INTO "event" VALUES(18,'2026-11-20T14:00:30.000000Z','server.shrunk','server','2baedb5e-73d1-5d82-bfa2-422fa5265c63',4,'cloud',NULL,'{"cpu_mhz_effective":[12000,4000],"squeezed_by":[null,"e5128536-51f6-57c6-b425-7d8f5e600c09"],"squeezed_at":[null,"2026-11-20T14:00:30.000000Z"]}','{"cause":"e5128536-51f6-57c6-b425-7d8f5e600c09","host":"c1-h1"}');
INSERT INTO "event" VALUES(19,'2026-11-20T14:00:38.000000Z','server.running','server','e5128536-51f6-57c6-b425-7d8f5e600c09',4,'operator@example.org',NULL,'{"state":["starting","running"],"state_since":["2026-11-20T14:00:30.000000Z","2026-11-20T14:00:38.000000Z"],"has_run":[false,true]}','{"task":4}');
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
INSERT INTO "host" VALUES('c1-h1','compute','up','2026-11-20T12:00:00.000000Z',16000,68719476736,0,1);
INSERT INTO "host" VALUES('s1-1','storage','up','2026-11-20T12:00:00.000000Z',0,0,1073741824000,1);
INSERT INTO "host" VALUES('s1-2','storage','up','2026-11-20T12:00:00.000000Z',0,0,1073741824000,1);
CREATE TABLE identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    cloud_id TEXT NOT NULL,
    cell TEXT NOT NULL,
    epoch INTEGER NOT NULL                      -- one more with every group commit; mirrored in cloud.db
, file_epoch INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "identity" VALUES(1,'5d6e1d2e-6a5c-4f0f-9a6b-0d3c2f1b7a11','cell-1',14,0);
CREATE TABLE log_base (
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    picture TEXT NOT NULL,                      -- JSON: what is not empty, by column
    PRIMARY KEY (object_kind, object_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_beginning (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    number INTEGER NOT NULL,
    at TEXT NOT NULL
) STRICT;
INSERT INTO "log_beginning" VALUES(1,0,'');
CREATE TABLE request (
    key TEXT PRIMARY KEY,                       -- account and Idempotency-Key
    digest TEXT NOT NULL,                       -- of method, path and body: the same key for another request is a conflict
    answer TEXT NOT NULL,                       -- JSON
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE "server" (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    project_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state = 'stopped' OR state = 'running' OR state = 'starting' OR state = 'stopping' OR state = 'paused'
               OR state = 'unavailable'),
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
    restarts INTEGER NOT NULL DEFAULT 0 CHECK (restarts IN (0, 1)),
    avoid TEXT NOT NULL,                        -- JSON list
    meta TEXT NOT NULL,                         -- JSON object
    tags TEXT NOT NULL,                         -- JSON list
    attributes TEXT NOT NULL,                   -- JSON object
    lost_from TEXT
        CHECK (lost_from = 'running' OR lost_from = 'starting' OR lost_from = 'waiting' OR lost_from = 'stopping'
               OR lost_from = 'paused'),
    version INTEGER NOT NULL,
    -- What holds a host has all that belongs to it, what holds none has none of it.
    CHECK ((host IS NULL) = (cpu_mhz_effective IS NULL)),
    CHECK ((host IS NULL) = (memory_bytes_effective IS NULL)),
    CHECK ((host IS NULL) = (cpu_mhz_floor IS NULL)),
    CHECK ((host IS NULL) = (memory_bytes_floor IS NULL)),
    CHECK ((host IS NULL) = (started_at IS NULL)),
    CHECK (host IS NOT NULL OR (waits IS NULL AND notice_until IS NULL)),
    CHECK (host IS NOT NULL OR state = 'stopped' OR state = 'unavailable'),
    CHECK (state <> 'stopped' OR host IS NULL)
) STRICT;
INSERT INTO "server" VALUES('10f0c0d7-b3a7-5f22-ad17-908216fece8e','web-01','inside','operator@example.org','running','2026-11-20T12:00:08.000000Z','2026-11-20T12:00:00.000000Z',4000,4294967296,1,0,0,0,'c1-h1',4000,4294967296,4000,4294967296,'2026-11-20T12:00:00.000000Z',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,0,'[]','{}','[]','{}',NULL,4);
INSERT INTO "server" VALUES('2baedb5e-73d1-5d82-bfa2-422fa5265c63','batch-01','inside','operator@example.org','running','2026-11-20T12:00:18.000000Z','2026-11-20T12:00:10.000000Z',12000,4294967296,1,1,0,0,'c1-h1',3000,1073741824,4000,4294967296,'2026-11-20T12:00:10.000000Z',1,NULL,NULL,NULL,'e5128536-51f6-57c6-b425-7d8f5e600c09','2026-11-20T14:00:30.000000Z',NULL,NULL,0,NULL,0,'[]','{}','[]','{}',NULL,4);
INSERT INTO "server" VALUES('ca869ad1-eb6e-5f91-b1f1-7ab6a6626d4f','idle-01','inside','operator@example.org','stopped','2026-11-20T12:00:20.000000Z','2026-11-20T12:00:20.000000Z',4000,4294967296,1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,0,'[]','{}','[]','{}',NULL,1);
INSERT INTO "server" VALUES('e5128536-51f6-57c6-b425-7d8f5e600c09','db-01','inside','operator@example.org','running','2026-11-20T14:00:38.000000Z','2026-11-20T14:00:30.000000Z',8000,4294967296,1,0,0,0,'c1-h1',8000,4294967296,8000,4294967296,'2026-11-20T14:00:30.000000Z',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,0,'[]','{}','[]','{}',NULL,4);
CREATE TABLE "task" (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'open' OR state = 'done' OR state = 'failed' OR state = 'cancelled'),
    ended_at TEXT,
    result TEXT,
    actor TEXT NOT NULL,
    payload TEXT NOT NULL, begun_number INTEGER, ended_number INTEGER,
    CHECK ((state = 'open') = (ended_at IS NULL))
) STRICT;
INSERT INTO "task" VALUES(1,'start','server','10f0c0d7-b3a7-5f22-ad17-908216fece8e','2026-11-20T12:00:00.000000Z','2026-11-20T12:00:08.000000Z','done','2026-11-20T12:00:08.000000Z',NULL,'operator@example.org','{}',NULL,NULL);
INSERT INTO "task" VALUES(2,'start','server','2baedb5e-73d1-5d82-bfa2-422fa5265c63','2026-11-20T12:00:10.000000Z','2026-11-20T12:00:18.000000Z','done','2026-11-20T12:00:18.000000Z',NULL,'operator@example.org','{}',NULL,NULL);
INSERT INTO "task" VALUES(3,'create','drive','b2ce6924-29e0-5afe-b37a-5d5a5a670fda','2026-11-20T12:00:20.000000Z','2026-11-20T12:00:23.000000Z','done','2026-11-20T12:00:23.000000Z',NULL,'operator@example.org','{}',NULL,NULL);
INSERT INTO "task" VALUES(4,'start','server','e5128536-51f6-57c6-b425-7d8f5e600c09','2026-11-20T14:00:30.000000Z','2026-11-20T14:00:38.000000Z','done','2026-11-20T14:00:38.000000Z',NULL,'operator@example.org','{}',NULL,NULL);
CREATE TABLE task_put_off (
    task_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    due_at TEXT NOT NULL,                       -- as it was before
    payload TEXT NOT NULL                       -- as it was before: JSON
) STRICT;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX event_by_instant ON event (at, number);
CREATE INDEX event_by_object ON event (object_id, at, number);
CREATE INDEX server_by_name ON server (name, id);
CREATE INDEX server_by_state ON server (state, name, id);
CREATE INDEX server_by_created ON server (created_at, id);
CREATE INDEX server_by_host ON server (host) WHERE host IS NOT NULL;
CREATE INDEX server_pledged ON server (cpu_mhz, memory_bytes) WHERE state = 'stopped' AND is_backfilling = 0;
CREATE INDEX server_grouped ON server (id) WHERE instr(tags, '"group:') > 0;
CREATE INDEX server_without_storage ON server (id) WHERE reason = 'storage_lost';
CREATE INDEX server_to_restart ON server (displaced_at, id, cpu_mhz, memory_bytes)
    WHERE restarts = 1 AND reason = 'displaced';
CREATE INDEX server_restarting ON server (owner) WHERE restarts = 1;
CREATE INDEX drive_by_name ON drive (name, id);
CREATE INDEX drive_by_created ON drive (created_at, id);
CREATE INDEX drive_by_host ON drive (host);
CREATE INDEX drive_by_server ON drive (server_id, channel, id) WHERE server_id IS NOT NULL;
CREATE INDEX drive_lost ON drive (server_id) WHERE state = 'unavailable';
CREATE INDEX task_due ON task (due_at, id) WHERE state = 'open';
CREATE INDEX task_of_object ON task (object_id, id);
CREATE INDEX task_ended ON task (ended_at) WHERE state <> 'open';
CREATE INDEX task_ended_in_the_log ON task (ended_number) WHERE ended_number IS NOT NULL;
CREATE INDEX task_put_off_of ON task_put_off (task_id, number);
CREATE INDEX request_by_instant ON request (at);
COMMIT;
