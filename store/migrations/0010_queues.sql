-- Claims in the order of an index; attempts by hand that wait for their turn.

-- What is due at one time is found in the order in which it goes, without sorting it.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (queue, next_at, id)
    WHERE state = 'pending' AND next_at IS NOT NULL;

-- 1 if one more attempt was asked for while one is under way.
ALTER TABLE deliveries ADD COLUMN resend BIGINT NOT NULL DEFAULT 0 CHECK (resend IN (0, 1));
-- Why it was given up before it was sent again.
ALTER TABLE deliveries ADD COLUMN again_why TEXT;
