-- A transfer may belong to a payout.
ALTER TABLE transfers ADD COLUMN payout TEXT;
