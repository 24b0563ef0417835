-- Keys that have names and may end by themselves; payouts as those see them who approve them.

ALTER TABLE api_keys ADD COLUMN label TEXT;
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;

CREATE INDEX payouts_by_merchant ON payouts (merchant, mode, id);
CREATE INDEX payouts_by_state ON payouts (merchant, mode, state, id);
