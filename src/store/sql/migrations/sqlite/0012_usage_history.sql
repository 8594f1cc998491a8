-- How keys were used, hour by hour: a row for each day (UTC, counted from 1970), key and outcome, so that what is kept is
-- bounded by the days that are. An hour in which nothing was counted is NULL, which takes no room.
--
-- Outcomes: 0 is uses, the growth of usage_count; the others are refusals, numbered as in `store::history::Reason`.
CREATE TABLE usage_hours (
    token   INTEGER NOT NULL REFERENCES tokens ("row") ON DELETE CASCADE,
    day     INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    h0 INTEGER, h1 INTEGER, h2 INTEGER, h3 INTEGER, h4 INTEGER, h5 INTEGER,
    h6 INTEGER, h7 INTEGER, h8 INTEGER, h9 INTEGER, h10 INTEGER, h11 INTEGER,
    h12 INTEGER, h13 INTEGER, h14 INTEGER, h15 INTEGER, h16 INTEGER, h17 INTEGER,
    h18 INTEGER, h19 INTEGER, h20 INTEGER, h21 INTEGER, h22 INTEGER, h23 INTEGER,
    PRIMARY KEY (token, day, outcome)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_hours_by_day ON usage_hours (day);

-- The same, added up for whole organizations, so that reading it takes as long for a million keys as for one. What a key has
-- counted stays in here when the key goes.
CREATE TABLE organization_usage_hours (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    day          INTEGER NOT NULL,
    outcome      INTEGER NOT NULL,
    h0 INTEGER, h1 INTEGER, h2 INTEGER, h3 INTEGER, h4 INTEGER, h5 INTEGER,
    h6 INTEGER, h7 INTEGER, h8 INTEGER, h9 INTEGER, h10 INTEGER, h11 INTEGER,
    h12 INTEGER, h13 INTEGER, h14 INTEGER, h15 INTEGER, h16 INTEGER, h17 INTEGER,
    h18 INTEGER, h19 INTEGER, h20 INTEGER, h21 INTEGER, h22 INTEGER, h23 INTEGER,
    PRIMARY KEY (organization, day, outcome)
) STRICT, WITHOUT ROWID;

CREATE INDEX organization_usage_hours_by_day ON organization_usage_hours (day);

-- Whether it is written at all: one row while it is, which says since when, and how long it is kept.
CREATE TABLE usage_history (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    since_ms INTEGER NOT NULL,
    keep_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
