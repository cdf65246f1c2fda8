-- What is kept of a record lies under a running number, in the order in which records came, and one narrow index finds the number.
-- Ordered by ids, which are as good as random, each new record changed a page of its own in two tables: the more, the longer the history.
ALTER TABLE record_index RENAME TO record_index_before;
ALTER TABLE record RENAME TO record_before;

-- Derived: a record's number, and the admission index.
CREATE TABLE record_index (
    number     INTEGER NOT NULL PRIMARY KEY,
    journal_id BLOB    NOT NULL,
    record_id  BLOB    NOT NULL,
    entry      BLOB,             -- deterministic CBOR; none if no command of the record counted
    UNIQUE (journal_id, record_id)
) STRICT;

INSERT INTO record_index (number, journal_id, record_id, entry)
SELECT record_before.rowid, record_before.journal_id, record_before.record_id, entry
FROM record_before LEFT JOIN record_index_before USING (journal_id, record_id)
ORDER BY record_before.rowid;

INSERT INTO record_index (journal_id, record_id, entry)
SELECT journal_id, record_id, entry FROM record_index_before
WHERE TRUE ON CONFLICT (journal_id, record_id) DO NOTHING;

-- Derived: records as folded, and what lists are filtered by.
CREATE TABLE record (
    number     INTEGER NOT NULL PRIMARY KEY, -- in record_index
    kind       TEXT    NOT NULL,
    state      TEXT,
    audience   INTEGER NOT NULL,
    conflicted INTEGER NOT NULL,
    flagged    INTEGER NOT NULL, -- a counted command is flagged
    unanswered INTEGER NOT NULL, -- a command is refused or without effect
    void       INTEGER NOT NULL,
    created_at INTEGER NOT NULL, -- received
    changed_at INTEGER NOT NULL, -- received
    text       TEXT    NOT NULL, -- personal; what is not sensitive, in lower case, to search in
    body       BLOB    NOT NULL  -- personal; the folded record, deterministic CBOR
) STRICT;

INSERT INTO record (number, kind, state, audience, conflicted, flagged, unanswered, void, created_at, changed_at, text, body)
SELECT rowid, kind, state, audience, conflicted, flagged, unanswered, void, created_at, changed_at, text, body
FROM record_before ORDER BY rowid;

DROP TABLE record_before;
DROP TABLE record_index_before;
