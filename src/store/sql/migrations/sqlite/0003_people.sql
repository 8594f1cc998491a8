-- Second factors of people.

-- The shared secret of their authenticator (RFC 6238), in base32; NULL when none was ever begun with.
ALTER TABLE users ADD COLUMN totp_secret TEXT;
-- Since when logins take it; NULL while it is not yet confirmed.
ALTER TABLE users ADD COLUMN totp_enabled_ms INTEGER;
-- The latest time step whose code was taken: no code is good twice.
ALTER TABLE users ADD COLUMN totp_step INTEGER;

-- Codes for who has lost the authenticator. Each is good once, and gone then.
CREATE TABLE recovery_codes (
    person TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    PRIMARY KEY (person, digest)
) STRICT, WITHOUT ROWID;

-- Roles that organizations make for themselves. The built-in ones are not here.
CREATE TABLE roles (
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    description  TEXT,
    permissions  TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    UNIQUE (organization, name)
) STRICT, WITHOUT ROWID;

-- Where it is set, `role` is `custom`. A role that somebody has is not removed.
ALTER TABLE memberships ADD COLUMN custom_role TEXT REFERENCES roles (id);

-- Looks after the whole server: sees and removes keys of every organization.
ALTER TABLE users ADD COLUMN server_admin INTEGER NOT NULL DEFAULT 0;

CREATE INDEX tokens_in_order ON tokens (organization, created_ms, id);

-- Tokens by which somebody who has forgotten their password chooses a new one. Each is good once, and gone then.
CREATE TABLE password_resets (
    digest     BLOB PRIMARY KEY,
    person     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX password_resets_of_person ON password_resets (person);

-- Invitations into an organization. Each is good once, and gone then.
CREATE TABLE invitations (
    id           TEXT PRIMARY KEY,
    -- Of the token that the link holds.
    digest       BLOB NOT NULL UNIQUE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    -- For whoever has this address; NULL for whoever has the link.
    email        TEXT,
    role         TEXT NOT NULL,
    custom_role  TEXT REFERENCES roles (id) ON DELETE CASCADE,
    created_by   TEXT,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invitations_of_organization ON invitations (organization, created_ms, id);
