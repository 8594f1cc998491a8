-- How keys were used, hour by hour: a row for each day (UTC, counted from 1970), key and outcome, so that what is kept is
-- bounded by the days that are. An hour in which nothing was counted is NULL, which takes no room.
--
-- Outcomes: 0 is uses, the growth of usage_count; the others are refusals, numbered as in `store::history::Reason`.
CREATE TABLE usage_hours (
    token   BIGINT NOT NULL REFERENCES tokens ("row") ON DELETE CASCADE,
    day     BIGINT NOT NULL,
    outcome BIGINT NOT NULL,
    h0 BIGINT, h1 BIGINT, h2 BIGINT, h3 BIGINT, h4 BIGINT, h5 BIGINT,
    h6 BIGINT, h7 BIGINT, h8 BIGINT, h9 BIGINT, h10 BIGINT, h11 BIGINT,
    h12 BIGINT, h13 BIGINT, h14 BIGINT, h15 BIGINT, h16 BIGINT, h17 BIGINT,
    h18 BIGINT, h19 BIGINT, h20 BIGINT, h21 BIGINT, h22 BIGINT, h23 BIGINT,
    PRIMARY KEY (token, day, outcome)
-- Room in each page, so that counting alters no index.
) WITH (fillfactor = 70);

CREATE INDEX usage_hours_by_day ON usage_hours (day);

-- The same, added up for whole organizations, so that reading it takes as long for a million keys as for one. What a key has
-- counted stays in here when the key goes.
CREATE TABLE organization_usage_hours (
    organization TEXT COLLATE "C" NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    day          BIGINT NOT NULL,
    outcome      BIGINT NOT NULL,
    h0 BIGINT, h1 BIGINT, h2 BIGINT, h3 BIGINT, h4 BIGINT, h5 BIGINT,
    h6 BIGINT, h7 BIGINT, h8 BIGINT, h9 BIGINT, h10 BIGINT, h11 BIGINT,
    h12 BIGINT, h13 BIGINT, h14 BIGINT, h15 BIGINT, h16 BIGINT, h17 BIGINT,
    h18 BIGINT, h19 BIGINT, h20 BIGINT, h21 BIGINT, h22 BIGINT, h23 BIGINT,
    PRIMARY KEY (organization, day, outcome)
-- Room in each page, so that counting alters no index.
) WITH (fillfactor = 70);

CREATE INDEX organization_usage_hours_by_day ON organization_usage_hours (day);

-- Whether it is written at all: one row while it is, which says since when, and how long it is kept.
CREATE TABLE usage_history (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    since_ms BIGINT NOT NULL,
    keep_ms  BIGINT NOT NULL
);
