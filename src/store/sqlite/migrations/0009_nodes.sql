-- Who accepts keys on this store.
CREATE TABLE nodes (
    -- The order of joining; AUTOINCREMENT so that nobody comes before who was there.
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    -- The name of its usage journal.
    journal      TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    lease_ms     INTEGER NOT NULL,
    applied      INTEGER NOT NULL DEFAULT 0,
    beats        INTEGER NOT NULL DEFAULT 0,
    doubted      INTEGER NOT NULL DEFAULT 0,
    stepped_back INTEGER NOT NULL DEFAULT 0,
    joined_ms    INTEGER NOT NULL,
    told_ms      INTEGER NOT NULL
) STRICT;
