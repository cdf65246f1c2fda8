-- Records as folded, forgotten here and folded again by the server. Rows of some kilobytes lie in the order in which they came and
-- are found by a narrow index: as leaves of a tree ordered by random ids, each change wrote pages of its neighbours too. The index
-- by kind was asked by no query, and written with every change.
DROP TABLE record;
DELETE FROM folded;

CREATE TABLE record (
    journal_id BLOB    NOT NULL,
    record_id  BLOB    NOT NULL,
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
    body       BLOB    NOT NULL, -- personal; the folded record, deterministic CBOR
    PRIMARY KEY (journal_id, record_id)
) STRICT;
