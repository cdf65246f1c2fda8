-- Journals: the truth. What stands under "derived" can be rebuilt from the entries.
-- The journal comes first in every key. Instants are milliseconds since 1970-01-01T00:00:00Z; ids have 16 bytes, digests 32.

-- The end of each chain. This row is what an admission locks.
CREATE TABLE journal (
    journal_id  BLOB    NOT NULL PRIMARY KEY,
    seq         INTEGER NOT NULL,
    head        BLOB    NOT NULL,
    received_at INTEGER NOT NULL,
    registry    INTEGER NOT NULL  -- the registry position of the last entry; never runs backwards
) STRICT, WITHOUT ROWID;

-- One admitted batch. Only erasure may replace `batch`; the chain still verifies.
CREATE TABLE entry (
    journal_id   BLOB    NOT NULL,
    seq          INTEGER NOT NULL, -- 1, 2, 3 … without gaps
    received_at  INTEGER NOT NULL,
    device_id    BLOB    NOT NULL,
    first        INTEGER NOT NULL, -- the lane's numbers in it: first to last
    last         INTEGER NOT NULL,
    batch_digest BLOB    NOT NULL,
    chain_head   BLOB    NOT NULL, -- after this entry
    head         BLOB    NOT NULL, -- what the chain hashes, as deterministic CBOR
    batch        BLOB    NOT NULL, -- the batch as it is sent, contents packed
    PRIMARY KEY (journal_id, seq)
) STRICT;

CREATE UNIQUE INDEX entry_of_lane ON entry (journal_id, device_id, first);

-- The end of each lane.
CREATE TABLE lane (
    journal_id BLOB    NOT NULL,
    device_id  BLOB    NOT NULL,
    n          INTEGER NOT NULL,
    batch      BLOB    NOT NULL, -- the digest of its last batch
    PRIMARY KEY (journal_id, device_id)
) STRICT, WITHOUT ROWID;

-- Commands that offer another lane's again: whose lane they stand in, and whether they count. At most one delivery of each origin
-- ever counts.
CREATE TABLE offer (
    journal_id       BLOB    NOT NULL,
    origin_device_id BLOB    NOT NULL,
    origin_n         INTEGER NOT NULL,
    device_id        BLOB    NOT NULL,
    n                INTEGER NOT NULL,
    counts           INTEGER NOT NULL,
    PRIMARY KEY (journal_id, origin_device_id, origin_n, device_id, n)
) STRICT, WITHOUT ROWID;

-- Two batches signed under one number: kept as proof, both.
CREATE TABLE equivocation (
    journal_id  BLOB    NOT NULL,
    device_id   BLOB    NOT NULL,
    first       INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    received_at INTEGER NOT NULL,
    batch       BLOB    NOT NULL,
    PRIMARY KEY (journal_id, device_id, first, digest)
) STRICT, WITHOUT ROWID;

-- What a device sent today, so that one phone cannot fill the disk. Forgotten after a day; nobody is shown it.
CREATE TABLE quota (
    journal_id    BLOB    NOT NULL,
    device_id     BLOB    NOT NULL,
    day           INTEGER NOT NULL,
    commands      INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    refused_bytes INTEGER NOT NULL,
    PRIMARY KEY (journal_id, device_id, day)
) STRICT, WITHOUT ROWID;

-- Derived: the admission index, per record.
CREATE TABLE record_index (
    journal_id BLOB NOT NULL,
    record_id  BLOB NOT NULL,
    entry      BLOB NOT NULL, -- deterministic CBOR
    PRIMARY KEY (journal_id, record_id)
) STRICT, WITHOUT ROWID;

-- Derived: which entries speak of a record.
CREATE TABLE mention (
    journal_id BLOB    NOT NULL,
    record_id  BLOB    NOT NULL,
    seq        INTEGER NOT NULL,
    place      INTEGER NOT NULL, -- the command's index in its batch
    PRIMARY KEY (journal_id, record_id, seq, place)
) STRICT, WITHOUT ROWID;

-- Derived: how far a journal is folded.
CREATE TABLE folded (
    journal_id BLOB    NOT NULL PRIMARY KEY,
    seq        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Derived: records as folded, and what lists are filtered by.
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
) STRICT, WITHOUT ROWID;

CREATE INDEX record_by_kind ON record (journal_id, kind, changed_at);

-- The Merkle log over journal heads. Leaves are never deleted.
CREATE TABLE leaf (
    position   INTEGER NOT NULL PRIMARY KEY, -- 0, 1, 2 … without gaps
    journal_id BLOB    NOT NULL,
    seq        INTEGER NOT NULL,
    head       BLOB    NOT NULL
) STRICT;

CREATE INDEX leaf_of_journal ON leaf (journal_id, seq);

CREATE TABLE checkpoint (
    size      INTEGER NOT NULL PRIMARY KEY,
    signed_at INTEGER NOT NULL,
    note      TEXT    NOT NULL -- a C2SP signed note
) STRICT;
