-- Backfilling servers that are to be started again when there is room, in the order in which they were displaced.

ALTER TABLE server ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0 CHECK (restarts IN (0, 1));

CREATE INDEX server_to_restart ON server (displaced_at, id, cpu_mhz, memory_bytes)
    WHERE restarts = 1 AND reason = 'displaced';
CREATE INDEX server_restarting ON server (owner) WHERE restarts = 1;
