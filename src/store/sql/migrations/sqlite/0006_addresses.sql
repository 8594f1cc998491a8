-- Addresses that keys of organizations that want to know were used from; networks of 64 bits for IPv6.
CREATE TABLE token_addresses (
    token    INTEGER NOT NULL REFERENCES tokens ("row") ON DELETE CASCADE,
    address  TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    PRIMARY KEY (token, address)
) STRICT, WITHOUT ROWID;
