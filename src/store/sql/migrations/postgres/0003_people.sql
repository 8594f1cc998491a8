-- Second factors of people.

-- The shared secret of their authenticator (RFC 6238), in base32; NULL when none was ever begun with.
ALTER TABLE users ADD COLUMN totp_secret TEXT COLLATE "C";
-- Since when logins take it; NULL while it is not yet confirmed.
ALTER TABLE users ADD COLUMN totp_enabled_ms BIGINT;
-- The latest time step whose code was taken: no code is good twice.
ALTER TABLE users ADD COLUMN totp_step BIGINT;

-- Codes for who has lost the authenticator. Each is good once, and gone then.
CREATE TABLE recovery_codes (
    person TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest BYTEA NOT NULL,
    PRIMARY KEY (person, digest)
);

-- Roles that organizations make for themselves. The built-in ones are not here.
CREATE TABLE roles (
    id           TEXT COLLATE "C" PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name         TEXT COLLATE "C" NOT NULL,
    description  TEXT COLLATE "C",
    permissions  TEXT COLLATE "C" NOT NULL,
    created_ms   BIGINT NOT NULL,
    updated_ms   BIGINT NOT NULL,
    UNIQUE (organization, name)
);

-- Where it is set, `role` is `custom`. A role that somebody has is not removed.
ALTER TABLE memberships ADD COLUMN custom_role TEXT COLLATE "C" REFERENCES roles (id);

-- Looks after the whole server: sees and removes keys of every organization.
ALTER TABLE users ADD COLUMN server_admin BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX tokens_in_order ON tokens (organization, created_ms, id);

-- Tokens by which somebody who has forgotten their password chooses a new one. Each is good once, and gone then.
CREATE TABLE password_resets (
    digest     BYTEA PRIMARY KEY,
    person     TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_ms BIGINT NOT NULL
);

CREATE INDEX password_resets_of_person ON password_resets (person);

-- Invitations into an organization. Each is good once, and gone then.
CREATE TABLE invitations (
    id           TEXT COLLATE "C" PRIMARY KEY,
    -- Of the token that the link holds.
    digest       BYTEA NOT NULL UNIQUE,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    -- For whoever has this address; NULL for whoever has the link.
    email        TEXT COLLATE "C",
    role         TEXT COLLATE "C" NOT NULL,
    custom_role  TEXT COLLATE "C" REFERENCES roles (id) ON DELETE CASCADE,
    created_by   TEXT COLLATE "C",
    created_ms   BIGINT NOT NULL,
    expires_ms   BIGINT NOT NULL
);

CREATE INDEX invitations_of_organization ON invitations (organization, created_ms, id);
