-- When a task was opened and ended in the order of the log, and what it was before it was put off: so that a moment of
-- the past shows the tasks of then. Each number is of the event with which the change is seen: the newest of its
-- transaction so far, or else the next one. NULL in rows that are older than this.

ALTER TABLE task ADD COLUMN begun_number INTEGER;
ALTER TABLE task ADD COLUMN ended_number INTEGER;
CREATE INDEX task_ended_in_the_log ON task (ended_number) WHERE ended_number IS NOT NULL;

CREATE TABLE task_put_off (
    task_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    due_at TEXT NOT NULL,                       -- as it was before
    payload TEXT NOT NULL                       -- as it was before: JSON
) STRICT;

CREATE INDEX task_put_off_of ON task_put_off (task_id, number);
