-- Lists by state, and indexes that fit their statements however many rows there are.

-- SQLite uses a partial index only if it finds its condition again, and it reads `a + b < c` as
-- `c > a + b`.
DROP INDEX payments_held;
CREATE INDEX payments_held ON payments (created_at)
    WHERE gift_card IS NOT NULL AND state = 'authorized' AND authorized > captured + released;

DROP INDEX bills_by_merchant;
CREATE INDEX bills_by_dialect ON bills (merchant, mode, dialect, id) WHERE state <> 'withdrawn';
CREATE INDEX bills_by_state ON bills (merchant, mode, dialect, state, id);
