-- What the control side needs beside what the edge reads.

-- The first characters of the present value, to tell keys apart by eye; NULL when they are not known.
ALTER TABLE tokens ADD COLUMN prefix TEXT;
-- The life that was last given to the key, from that moment to its expiry: what regenerating an expired key gives it
-- again. NULL when it is not known.
ALTER TABLE tokens ADD COLUMN lifetime_ms INTEGER;
-- Grows by one with each write, so that a writer sees whether the key is still the one it has read.
ALTER TABLE tokens ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

UPDATE tokens SET lifetime_ms = expires_ms - created_ms WHERE expires_ms > created_ms;

CREATE TABLE sessions (
    -- The `sid` of its access tokens.
    id         TEXT PRIMARY KEY,
    person     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    -- From then on it is over; each refresh moves it.
    expires_ms INTEGER NOT NULL,
    -- When it was ended before its time: by its person, or because a refresh token came a second time.
    ended_ms   INTEGER,
    address    TEXT,
    user_agent TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_person ON sessions (person, created_ms);
CREATE INDEX sessions_by_expiry ON sessions (expires_ms);

-- Every refresh token that a session ever had: one that was traded for its successor stays here, so that showing it
-- again is known for what it is, and ends the session.
CREATE TABLE refresh_tokens (
    digest     BLOB PRIMARY KEY,
    session    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    -- When it was traded for its successor; NULL for the newest of its session.
    used_ms    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session);

-- Who did what. Nothing in it refers to another table: an entry outlives whom and what it names.
CREATE TABLE audit (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms        INTEGER NOT NULL,
    -- NULL when it concerns no single organization.
    organization TEXT,
    -- user | key | operator | anonymous
    actor_kind   TEXT NOT NULL,
    actor        TEXT,
    actor_name   TEXT,
    -- entity.verb
    action       TEXT NOT NULL,
    entity       TEXT NOT NULL,
    entity_name  TEXT,
    address      TEXT,
    user_agent   TEXT,
    request_id   TEXT,
    -- JSON objects; never with a secret in them.
    before       TEXT,
    after        TEXT
) STRICT;

CREATE INDEX audit_of_organization ON audit (organization, sequence);

CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
CREATE TRIGGER audit_is_as_it_was BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
