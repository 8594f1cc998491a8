-- Certificates by ACME (RFC 8555). `credentials` and `key` are secret: this file is readable by its owner only.
CREATE TABLE acme_accounts (
  directory TEXT PRIMARY KEY,
  credentials TEXT NOT NULL
);
CREATE TABLE acme_certificates (
  name TEXT PRIMARY KEY,
  chain TEXT NOT NULL,
  key TEXT NOT NULL,
  obtained_ms INTEGER NOT NULL
);
-- Whose turn it is to order, and when: of several processes on one store only one does, and none before its time.
CREATE TABLE acme_orders (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  held_until_ms INTEGER NOT NULL,
  wait_until_ms INTEGER NOT NULL,
  failures INTEGER NOT NULL
);
