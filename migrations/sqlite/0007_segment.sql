-- Derived: entries that were packed together for who begins with nothing. Personal, as the entries are. All of a journal's are
-- deleted in the transaction in which an erasure rewrites one of its entries.
CREATE TABLE segment (
    journal_id BLOB    NOT NULL,
    scope      INTEGER NOT NULL, -- whose content it holds: the audiences, and whether what was refused
    after      INTEGER NOT NULL, -- the position that it continues
    seq        INTEGER NOT NULL, -- its last
    head       BLOB    NOT NULL, -- the chain's head there
    lacking    BLOB    NOT NULL, -- the devices some of whose content is not in it, as deterministic CBOR
    body       BLOB    NOT NULL,
    PRIMARY KEY (journal_id, scope, after)
) STRICT;

-- How often entries of a journal were rewritten, so that nothing packed before is kept after.
CREATE TABLE rewriting (
    journal_id BLOB    NOT NULL PRIMARY KEY,
    times      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
