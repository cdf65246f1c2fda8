-- Which entries speak of a record stands in its timeline, as far as its journal is folded; what comes after is read. An index of
-- its own cost each command a page of the disk.
DROP TABLE mention;
