-- Events that people's own systems are told of, and how far the telling has come.

-- No foreign key to the organization: its last event, that it is gone, has still to be delivered. Endpoints whose
-- organization is gone are swept when nothing of theirs is on its way any more.
CREATE TABLE webhook_endpoints (
    "row"            INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT NOT NULL UNIQUE,
    organization     TEXT NOT NULL,
    url              TEXT NOT NULL,
    description      TEXT,
    -- Event types; `*` stands for all of them.
    events           TEXT NOT NULL,
    -- What deliveries are signed with: `whsec_` and base64.
    secret           TEXT NOT NULL,
    active           INTEGER NOT NULL,
    -- Since when every attempt has failed; NULL when the last one did not.
    failing_since_ms INTEGER,
    -- When it was switched off because it had failed for too long.
    disabled_ms      INTEGER,
    created_by       TEXT,
    created_ms       INTEGER NOT NULL,
    updated_ms       INTEGER NOT NULL,
    revision         INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_endpoints_of_organization ON webhook_endpoints (organization);

-- Written in the transaction of what they tell of, when somebody wants to be told.
CREATE TABLE webhook_events (
    -- The `webhook-id` of every delivery.
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    type         TEXT NOT NULL,
    -- What is sent, byte for byte, each time.
    body         TEXT NOT NULL,
    at_ms        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_deliveries (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    event        TEXT NOT NULL REFERENCES webhook_events (id),
    endpoint     TEXT NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    organization TEXT NOT NULL,
    -- pending | delivered | failed
    state        TEXT NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    created_ms   INTEGER NOT NULL,
    -- When the next attempt is due; NULL when there is none.
    next_ms      INTEGER,
    -- When it was delivered or given up.
    finished_ms  INTEGER,
    -- Of the last attempt.
    status       INTEGER,
    error        TEXT
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, next_ms) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_of_organization ON webhook_deliveries (organization, sequence);
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint, sequence);
CREATE INDEX webhook_deliveries_of_event ON webhook_deliveries (event);

CREATE TABLE webhook_attempts (
    delivery    INTEGER NOT NULL REFERENCES webhook_deliveries (sequence) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status      INTEGER,
    error       TEXT,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Which approaching expiries were told already: each once for each expiry that a key is given.
CREATE TABLE webhook_expiries_told (
    token      TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    expires_ms INTEGER NOT NULL,
    days       INTEGER NOT NULL,
    PRIMARY KEY (token, expires_ms, days)
) STRICT, WITHOUT ROWID;

-- What replaces a row deletes it without a word to the trigger against that.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
