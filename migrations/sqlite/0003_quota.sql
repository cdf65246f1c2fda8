-- What a device sent on the last day on which it sent anything, so that one phone cannot fill the disk: one row a lane, which the
-- next day's first batch begins anew. Nobody is shown it.

DROP TABLE quota;

CREATE TABLE quota (
    journal_id    BLOB    NOT NULL,
    device_id     BLOB    NOT NULL,
    day           INTEGER NOT NULL,
    commands      INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    refused_bytes INTEGER NOT NULL,
    PRIMARY KEY (journal_id, device_id)
) STRICT, WITHOUT ROWID;
