-- What takes longer than a request: where it stands, so that it goes on after a restart, and what came of it.

-- Values that were replaced by a rotation and still work until their time is over.
CREATE TABLE retiring_values (
    digest   BLOB PRIMARY KEY,
    token    TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX retiring_values_of_token ON retiring_values (token);
CREATE INDEX retiring_values_by_end ON retiring_values (until_ms);

-- No foreign key to the organization: an operation may be its deletion.
CREATE TABLE operations (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    organization TEXT NOT NULL,
    kind         TEXT NOT NULL,
    -- What was asked for; a JSON object.
    parameters   TEXT NOT NULL,
    -- pending | running | succeeded | failed
    state        TEXT NOT NULL,
    -- How much is done.
    done         INTEGER NOT NULL DEFAULT 0,
    -- Where the next step begins.
    position     INTEGER NOT NULL DEFAULT 0,
    error        TEXT,
    actor        TEXT,
    actor_name   TEXT,
    created_ms   INTEGER NOT NULL,
    finished_ms  INTEGER,
    -- Until then there is a result to be had; NULL when there is none, or not any more.
    result_ms    INTEGER
) STRICT;

CREATE INDEX operations_of_organization ON operations (organization, sequence);
CREATE INDEX operations_unfinished ON operations (sequence) WHERE state IN ('pending', 'running');

-- New values of rotated keys, sealed; they are shown once and erased with it. A row without a value says that the key was
-- rotated.
CREATE TABLE operation_values (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    token     TEXT NOT NULL,
    sealed    BLOB,
    PRIMARY KEY (operation, token)
) STRICT, WITHOUT ROWID;

-- An export, piece by piece.
CREATE TABLE operation_pieces (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    number    INTEGER NOT NULL,
    text      TEXT NOT NULL,
    PRIMARY KEY (operation, number)
) STRICT;
