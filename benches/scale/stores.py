"""Stores with many keys, made quickly: the program makes the schema and one organization, the keys are inserted beside it."""

import hashlib
import sqlite3
import time
import uuid

CHUNK = 50_000

INSERT = """
INSERT INTO tokens (id, digest, family, name, organization, project, permissions, scopes, expires_ms, active, addresses,
                    version, usage_count, last_used_ms, created_ms, updated_ms)
VALUES (?, ?, 'ocriva', ?, ?, ?, '["read"]', '["documents"]', ?, 1, '[]', 1, ?, ?, ?, ?)
"""


def key(number):
    """The text of a key, as `keys.lua` makes it, too."""
    return f"ocr_{number:064x}"


def fill(path, keys, organization, project):
    """Puts so many keys into the store at `path`, and takes what it has out: every tenth was never used, the others at some time of the last month."""
    db = sqlite3.connect(path, isolation_level=None)
    # It may be lost if the machine fails meanwhile; nobody else has it open.
    for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -1000000", "locking_mode = EXCLUSIVE"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    now_ms = int(time.time() * 1000)
    db.execute("BEGIN")
    db.execute("DELETE FROM tokens")  # the fixture's
    for first in range(0, keys, CHUNK):
        numbers = range(first, min(first + CHUNK, keys))
        db.executemany(INSERT, (_row(number, now_ms, organization, project) for number in numbers))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


def _row(number, now_ms, organization, project):
    # A fixed scatter, so that keys that were used lately lie nowhere in particular.
    scatter = number * 0x9E3779B97F4A7C15 % 2**64
    used_ms = None if number % 10 == 0 else now_ms - scatter % (30 * 86_400_000)
    identity = str(uuid.UUID(int=(now_ms - 10**9 + number) << 80 | 7 << 76 | 2 << 62 | scatter >> 2))  # version 7, as the program's own
    digest = hashlib.sha256(key(number).encode()).digest()
    year_ms = 365 * 86_400_000
    return (
        identity, digest, f"Scanning receipts {number}", organization, project, now_ms + year_ms,
        0 if used_ms is None else 1 + scatter % 1000, used_ms, now_ms - year_ms, now_ms - year_ms,
    )  # fmt: skip
