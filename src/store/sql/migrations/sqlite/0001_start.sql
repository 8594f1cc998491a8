-- Times are milliseconds since 1970, UTC. Lists are JSON arrays of strings. Digests are 32 bytes, SHA-256.

CREATE TABLE organizations (
    id         TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    description  TEXT,
    active       INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX projects_of_organization ON projects (organization, created_ms, id);

CREATE TABLE users (
    id         TEXT PRIMARY KEY,
    email      TEXT NOT NULL,
    -- The address in lower case, Unicode included: COLLATE NOCASE knows ASCII only.
    email_key  TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    -- Argon2id in PHC form; NULL when no password was ever set.
    password   TEXT,
    active     INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    person       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role         TEXT NOT NULL,
    PRIMARY KEY (person, organization)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    -- Names the key in usage journals; AUTOINCREMENT so that a deleted key's number never comes back.
    "row"        INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    digest       BLOB NOT NULL UNIQUE,
    family       TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    -- NULL for a key of the whole organization.
    project      TEXT REFERENCES projects (id) ON DELETE CASCADE,
    permissions  TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    expires_ms   INTEGER,
    active       INTEGER NOT NULL,
    addresses    TEXT NOT NULL,
    version      INTEGER NOT NULL,
    usage_count  INTEGER NOT NULL DEFAULT 0,
    last_used_ms INTEGER,
    -- No foreign key: a person who is gone must stay named here, because a key that somebody made grants no more than
    -- that person may do, which is then nothing, while a key that nobody made is not bounded at all.
    created_by   TEXT,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL
) STRICT;

CREATE INDEX tokens_of_organization ON tokens (organization);
CREATE INDEX tokens_of_project ON tokens (project) WHERE project IS NOT NULL;
CREATE INDEX tokens_of_creator ON tokens (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX tokens_by_expiry ON tokens (expires_ms) WHERE expires_ms IS NOT NULL;

-- What was already added of a journal's slot. A slot's total goes on growing when its owner changes, so the owner is
-- no part of the key.
CREATE TABLE usage_seen (
    journal TEXT NOT NULL,
    slot    INTEGER NOT NULL,
    total   INTEGER NOT NULL,
    PRIMARY KEY (journal, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    -- token | organization | user | signing_keys
    kind     TEXT NOT NULL,
    id       TEXT,
    digest   BLOB
) STRICT;

CREATE TABLE signing_keys (
    id            TEXT PRIMARY KEY,
    algorithm     TEXT NOT NULL,
    private       TEXT NOT NULL,
    signs_from_ms INTEGER NOT NULL,
    retires_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
