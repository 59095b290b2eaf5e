-- What cloud.db and every cell file have alike: the log, the work that is due, and the requests that were answered.

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

CREATE INDEX event_by_object ON event (object_id, number);

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
    payload TEXT NOT NULL,
    CHECK ((state = 'open') = (ended_at IS NULL))
) STRICT;

CREATE INDEX task_due ON task (due_at, id) WHERE state = 'open';
CREATE INDEX task_of_object ON task (object_id, id);
CREATE INDEX task_ended ON task (ended_at) WHERE state <> 'open';

CREATE TABLE request (
    key TEXT PRIMARY KEY,                       -- account and Idempotency-Key
    digest TEXT NOT NULL,                       -- of method, path and body: the same key for another request is a conflict
    answer TEXT NOT NULL,                       -- JSON
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
