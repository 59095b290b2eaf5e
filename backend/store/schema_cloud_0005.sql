-- Fifth migration of cloud.db: how much work waits in a cell, so that it can be told while the cell does not answer.

ALTER TABLE cell ADD COLUMN open_tasks INTEGER;     -- as its last mirrored commit left them; NULL = never told
