-- Backups of more than servers, parts of one backup, and what else a schedule may ask for.

ALTER TABLE schedule RENAME COLUMN server_id TO source_id;
ALTER TABLE schedule ADD COLUMN source_kind TEXT NOT NULL DEFAULT 'server';
ALTER TABLE schedule ADD COLUMN jitter_seconds INTEGER NOT NULL DEFAULT 0 CHECK (jitter_seconds >= 0);
ALTER TABLE schedule ADD COLUMN keeps TEXT NOT NULL DEFAULT '{}';           -- JSON: last, hourly, daily, weekly, ...
ALTER TABLE schedule ADD COLUMN target_seconds INTEGER CHECK (target_seconds > 0);  -- how old its last good one may be
ALTER TABLE schedule ADD COLUMN drill_days INTEGER NOT NULL DEFAULT 0 CHECK (drill_days >= 0);
ALTER TABLE schedule ADD COLUMN drilled_at TEXT;
ALTER TABLE schedule ADD COLUMN drill_seconds INTEGER;
ALTER TABLE schedule ADD COLUMN drill_problem TEXT;

CREATE INDEX schedule_owed ON schedule (id) WHERE missed_since IS NOT NULL;
CREATE INDEX schedule_by_created ON schedule (created_at, id);

ALTER TABLE backup RENAME COLUMN server_id TO source_id;
ALTER TABLE backup ADD COLUMN source_kind TEXT NOT NULL DEFAULT 'server';
ALTER TABLE backup ADD COLUMN parent_id TEXT;   -- the backup of a project or customer that it is a part of

CREATE INDEX backup_of_parent ON backup (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX backup_by_created ON backup (created_at, id);
