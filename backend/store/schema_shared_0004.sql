-- How much of the past is kept. Of the log what lies before its beginning is forgotten, but for the few events that
-- something still reads; `number` is the last of them, and `at` the latest instant of any: no moment before that can be
-- rebuilt. 0 and '' while nothing has been forgotten.

CREATE TABLE log_beginning (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    number INTEGER NOT NULL,
    at TEXT NOT NULL
) STRICT;

INSERT INTO log_beginning VALUES (1, 0, '');

-- Requests are remembered for so long in the world's time, which `at` is from here on: older ones count from now.
UPDATE request SET at = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now');
CREATE INDEX request_by_instant ON request (at);
