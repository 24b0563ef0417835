-- A merchant's webhooks that are not over are found without walking through all that were delivered.

CREATE INDEX deliveries_pending ON deliveries (merchant, mode, id) WHERE state = 'pending';
