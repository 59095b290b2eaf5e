-- Money. What was in use is told by the cells' events; here it is as intervals, taken once from each event by the cursor
-- that is written with them. Instants are whole microseconds since 1970: they are reckoned with, and shown by nobody.

CREATE TABLE metered (
    file TEXT PRIMARY KEY,
    event_number INTEGER NOT NULL               -- up to which the file's events have been taken
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

CREATE UNIQUE INDEX usage_interval_open ON usage_interval (file, object_kind, object_id) WHERE ended_at IS NULL;
CREATE INDEX usage_interval_of_object ON usage_interval (object_id, begun_at);
CREATE INDEX usage_interval_backfilling ON usage_interval (ended_at) WHERE is_backfilling = 1;

-- What the intervals of an account add up to, file by file: what is in use from `at` on. A page of the ledger reads what
-- happened in it and one row before. The account '' is the cloud itself: its capacity, and its load.
CREATE TABLE usage_step (
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    file TEXT NOT NULL,
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account, resource, file, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_step_by_instant ON usage_step (account, at);

-- What the public interfaces of a server send while it runs, from when on. It outlives them: events may be taken later.
CREATE TABLE traffic_rate (
    server_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    rate INTEGER NOT NULL,                      -- in 256ths of a byte a second
    PRIMARY KEY (server_id, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE purse (
    account TEXT PRIMARY KEY REFERENCES account (name),
    is_finite INTEGER NOT NULL CHECK (is_finite IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE payment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES account (name),
    at INTEGER NOT NULL,
    amount TEXT NOT NULL,                       -- to the account, in 10**-20 of the currency
    reason TEXT NOT NULL
) STRICT;

CREATE INDEX payment_of_account ON payment (account, at);

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

CREATE INDEX subscription_of_account ON subscription (account, number);

CREATE TABLE subscription_term (
    subscription INTEGER NOT NULL REFERENCES subscription (number),
    bought_at INTEGER NOT NULL,
    begins_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL CHECK (ends_at > begins_at),
    price TEXT NOT NULL,                        -- in 10**-20 of the currency
    PRIMARY KEY (subscription, begins_at)
) STRICT, WITHOUT ROWID;
