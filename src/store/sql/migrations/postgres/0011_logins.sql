-- Logins whose password was right, and that wait for their second factor: on whichever node that comes.
CREATE TABLE partial_logins (
    -- Of the token that they are continued with.
    digest   BYTEA PRIMARY KEY,
    person   TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Of the password's hash that was compared with.
    password BYTEA NOT NULL,
    -- Codes that may still be tried.
    tries    BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);

CREATE INDEX partial_logins_of_person ON partial_logins (person);
CREATE INDEX partial_logins_by_end ON partial_logins (until_ms);
