-- Who may sign in, from which device, and for how long.
-- Instants are milliseconds since 1970-01-01T00:00:00Z; ids have 16 bytes, digests 32.

CREATE TABLE account (
    user_id       BLOB    NOT NULL PRIMARY KEY,
    user_name     TEXT    NOT NULL UNIQUE, -- personal; in lower case, as it is compared
    display_name  TEXT    NOT NULL,        -- personal
    password_hash TEXT,                    -- Argon2id, a PHC string; none until its person has set one
    created_at    INTEGER NOT NULL,
    disabled_at   INTEGER                  -- never deleted: entries in journals name the person
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    device_id     BLOB    NOT NULL PRIMARY KEY, -- derived from the key
    user_id       BLOB    NOT NULL REFERENCES account (user_id),
    key_algorithm INTEGER NOT NULL,
    public_key    BLOB    NOT NULL,
    enrolled_at   INTEGER NOT NULL,
    ended_at      INTEGER                       -- never deleted: its signatures stay in journals
) STRICT, WITHOUT ROWID;

-- Deleted some time after its end, with its tokens. Nothing here says when or how often its person was online.
CREATE TABLE session (
    session_id BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES account (user_id),
    device_id  BLOB    REFERENCES device (device_id), -- none for a browser
    started_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    ended_why  TEXT,
    CHECK ((ended_at IS NULL) = (ended_why IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX session_of_account ON session (user_id, started_at);
CREATE INDEX session_on_device ON session (device_id) WHERE device_id IS NOT NULL;

-- One session's tokens form a chain; the last has no successor.
CREATE TABLE refresh_token (
    token_hash       BLOB    NOT NULL PRIMARY KEY,
    session_id       BLOB    NOT NULL REFERENCES session (session_id) ON DELETE CASCADE,
    issued_at        INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    successor_hash   BLOB    UNIQUE, -- set once, when it is exchanged
    successor_sealed BLOB            -- the successor, readable with this token alone; removed once the successor was used
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_token_of_session ON refresh_token (session_id);

-- Deleted when it is redeemed or replaced, or some time after it ran out.
CREATE TABLE code (
    code_hash  BLOB    NOT NULL PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    user_id    BLOB    REFERENCES account (user_id), -- none for the first administrator
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
