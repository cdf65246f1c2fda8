-- Derived from the leaves: the roots of the perfect subtrees of the log, from which roots and proofs are looked up without reading
-- the leaves. A node is written once, with the leaf that completes it.
CREATE TABLE tree_node (
    level    INTEGER NOT NULL, -- the height above the leaves, which have 0
    position INTEGER NOT NULL, -- among the nodes of its level
    hash     BLOB    NOT NULL,
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
