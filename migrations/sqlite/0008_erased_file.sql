-- Files that erased contents named, noted in the transaction that erases them. Once their journal is folded they are removed from where
-- files lie, unless another record names them still; then the row is deleted. That there was a file is all it says.
CREATE TABLE erased_file (
    journal_id BLOB NOT NULL,
    digest     BLOB NOT NULL,
    PRIMARY KEY (journal_id, digest)
) STRICT, WITHOUT ROWID;
