-- What was told of money is never told otherwise: ticks are closed, and what becomes known of them later is corrected.

CREATE TABLE closed_tick (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    tick INTEGER NOT NULL,                      -- rows and burst levels of the ticks before it have been told
    next_place INTEGER NOT NULL
) STRICT;

INSERT INTO closed_tick VALUES (1, 0, 1);

-- In which order they were written: what is of one instant stands in the ledger in this order. 0 of what comes by itself.
ALTER TABLE payment ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscription_term ADD COLUMN place INTEGER NOT NULL DEFAULT 0;

-- How much more there really was than `usage_step` says, in ticks that were closed when that became known. The ledger
-- has a correction for what is settled; what is fresh becomes one the next time that anything about money is told.
CREATE TABLE late_step (
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    file TEXT NOT NULL,
    is_fresh INTEGER NOT NULL CHECK (is_fresh IN (0, 1)),
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account, resource, file, is_fresh, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX late_step_fresh ON late_step (account, resource, at) WHERE is_fresh = 1;

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

CREATE INDEX correction_of_account ON correction (account, at);

-- What is taken for what objects of a silent cell are, where its last picture is newer than the events that were taken,
-- or none ever were: from `begun_at` on in the place of their open interval. It goes when the cell tells.
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

-- What each server costs is told of all of them, not only of those that backfill.
DROP INDEX usage_interval_backfilling;
CREATE INDEX usage_interval_of_servers ON usage_interval (ended_at) WHERE object_kind = 'server';
