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
