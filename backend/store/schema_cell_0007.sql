-- What every object was at the beginning of the log, as far as the log still has to tell: what is stored is what the log
-- adds up to from there. Empty while nothing has been forgotten.

CREATE TABLE log_base (
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    picture TEXT NOT NULL,                      -- JSON: what is not empty, by column
    PRIMARY KEY (object_kind, object_id)
) STRICT, WITHOUT ROWID;
