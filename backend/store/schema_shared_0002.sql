-- Events by instant: a page of the log at any time costs the page, and so does one of a single object.

CREATE INDEX event_by_instant ON event (at, number);
DROP INDEX event_by_object;
CREATE INDEX event_by_object ON event (object_id, at, number);
