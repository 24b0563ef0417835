-- Accounts by their public number; reservations by the merchant's reference, and their steps.

CREATE TABLE accounts (
    dialect TEXT NOT NULL,
    number TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (dialect, number),
    UNIQUE (dialect, merchant, mode)
);

CREATE TABLE reservations (
    bill TEXT NOT NULL PRIMARY KEY REFERENCES bills (id),
    payment TEXT NOT NULL REFERENCES payments (id),
    dialect TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    reference TEXT NOT NULL,
    phone TEXT,
    release_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (dialect, merchant, mode, reference)
);
CREATE INDEX reservations_by_phone ON reservations (phone, mode, bill) WHERE phone IS NOT NULL;
CREATE INDEX reservations_due ON reservations (release_at) WHERE release_at IS NOT NULL;

CREATE TABLE steps (
    payment TEXT NOT NULL REFERENCES payments (id),
    number BIGINT NOT NULL CHECK (number > 0),
    kind TEXT NOT NULL CHECK (
        kind IN ('created', 'authorized', 'captured', 'released', 'refunded', 'aborted',
            'expired', 'cancelled')
    ),
    wire_id TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    idempotency_key TEXT,
    failure TEXT,
    until_at BIGINT,
    at BIGINT NOT NULL,
    PRIMARY KEY (payment, number)
);
