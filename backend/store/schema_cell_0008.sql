-- The epoch of what was in the file itself, and not only in its log, when the log was begun anew: an older file is not
-- the one to which the log belongs. 0 where that is not known.

ALTER TABLE identity ADD COLUMN file_epoch INTEGER NOT NULL DEFAULT 0;
