-- Host loss: what a server or drive was before its host was lost, and who is paused for want of a drive.

ALTER TABLE server ADD COLUMN lost_from TEXT
    CHECK (lost_from IN ('starting', 'waiting', 'running', 'stopping', 'paused'));
ALTER TABLE drive ADD COLUMN lost_from TEXT
    CHECK (lost_from IN ('creating', 'unmounted', 'mounted', 'cloning_src', 'cloning_dst', 'resizing', 'uploading'));

CREATE INDEX server_without_storage ON server (id) WHERE reason = 'storage_lost';
CREATE INDEX drive_lost ON drive (server_id) WHERE state = 'unavailable';
