-- Certificates by ACME (RFC 8555). `credentials` and `key` are secret.
CREATE TABLE acme_accounts (
  directory TEXT COLLATE "C" PRIMARY KEY,
  credentials TEXT COLLATE "C" NOT NULL
);
CREATE TABLE acme_certificates (
  name TEXT COLLATE "C" PRIMARY KEY,
  chain TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  obtained_ms BIGINT NOT NULL
);
-- Whose turn it is to order, and when: of several processes on one store only one does, and none before its time.
CREATE TABLE acme_orders (
  name TEXT COLLATE "C" PRIMARY KEY,
  holder TEXT COLLATE "C" NOT NULL,
  held_until_ms BIGINT NOT NULL,
  wait_until_ms BIGINT NOT NULL,
  failures BIGINT NOT NULL
);
