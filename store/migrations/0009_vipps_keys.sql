-- What a key is for, where an API has keys of several kinds; reservations whose result the payer's
-- bank does not know yet.

ALTER TABLE api_keys ADD COLUMN kind TEXT;
ALTER TABLE reservations ADD COLUMN undecided_until BIGINT;
CREATE INDEX reservations_undecided ON reservations (undecided_until) WHERE undecided_until IS NOT NULL;
