-- Which card took the place of a closed one: money that comes back to that goes on to it.
ALTER TABLE gift_cards ADD COLUMN successor TEXT REFERENCES gift_cards (id);

-- Credentials that are an id with a secret are found by their id.
CREATE INDEX api_keys_by_label ON api_keys (dialect, mode, label) WHERE label IS NOT NULL;
