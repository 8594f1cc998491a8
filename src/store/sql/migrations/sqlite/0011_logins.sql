-- Logins whose password was right, and that wait for their second factor: on whichever node that comes.
CREATE TABLE partial_logins (
    -- Of the token that they are continued with.
    digest   BLOB PRIMARY KEY,
    person   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Of the password's hash that was compared with.
    password BLOB NOT NULL,
    -- Codes that may still be tried.
    tries    INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX partial_logins_of_person ON partial_logins (person);
CREATE INDEX partial_logins_by_end ON partial_logins (until_ms);
