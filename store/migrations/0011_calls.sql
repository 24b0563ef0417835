-- Calls counted for limits of rate that hold on all nodes together: what was called, since when,
-- how often. An embedded database has one process, which counts in its memory.

CREATE TABLE calls (
    name TEXT NOT NULL PRIMARY KEY,
    start_at BIGINT NOT NULL,
    made BIGINT NOT NULL CHECK (made > 0)
);
CREATE INDEX calls_by_age ON calls (start_at);
