-- Addresses that keys of organizations that want to know were used from; networks of 64 bits for IPv6.
CREATE TABLE token_addresses (
    token    BIGINT NOT NULL REFERENCES tokens ("row") ON DELETE CASCADE,
    address  TEXT COLLATE "C" NOT NULL,
    first_ms BIGINT NOT NULL,
    PRIMARY KEY (token, address)
);
