-- Payouts; transactions (the merchant's own ids, for ever); settings; transfers that belong to a
-- payment or a payout.

CREATE TABLE payouts (
    id TEXT NOT NULL PRIMARY KEY,
    dialect TEXT NOT NULL,
    wire_id TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    details TEXT NOT NULL,
    provider TEXT,
    rail TEXT,
    state TEXT NOT NULL CHECK (state IN (
        'awaiting_user', 'awaiting_approval', 'processing', 'paid', 'rejected', 'cancelled', 'expired'
    )),
    state_at BIGINT,
    cause TEXT,
    due_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (dialect, wire_id),
    CHECK ((state IN ('awaiting_user', 'awaiting_approval', 'processing')) = (due_at IS NOT NULL)),
    CHECK ((state IN ('awaiting_user', 'awaiting_approval', 'processing')) = (state_at IS NULL)),
    CHECK ((state = 'rejected') = (cause IS NOT NULL)),
    CHECK (state NOT IN ('processing', 'paid') OR (rail IS NOT NULL AND provider IS NOT NULL))
);
CREATE INDEX payouts_due ON payouts (due_at) WHERE due_at IS NOT NULL;

-- One row per deposit (a bill) and withdrawal (a payout) of an API that calls both transactions.
CREATE TABLE transactions (
    id TEXT NOT NULL PRIMARY KEY,
    dialect TEXT NOT NULL,
    wire_id TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    tracking TEXT NOT NULL,
    payer TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('deposit', 'withdrawal')),
    flow TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    page TEXT NOT NULL UNIQUE,
    answer TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (merchant, mode, dialect, tracking),
    UNIQUE (dialect, wire_id)
);
CREATE INDEX transactions_by_time ON transactions (merchant, mode, dialect, created_at, id);

-- How a merchant takes and sends money, as JSON.
CREATE TABLE payment_settings (
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    body TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (merchant, mode)
);

-- What an account had after the transfers up to a place of each lane: a sum need not begin at the
-- first transfer. Only accounts that money is reserved from have rows here.
CREATE TABLE balances (
    account TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    currency TEXT NOT NULL,
    lane BIGINT NOT NULL,
    place BIGINT NOT NULL,
    minor BIGINT NOT NULL,
    PRIMARY KEY (account, mode, currency, lane)
);

-- A transfer belongs to whatever moved money; the typed prefix of `about` tells the kind. Rows and
-- hashes are carried over as they are: a hash covers what a row says and no column's name. Which
-- reasons there are is the code's to say, and reading an unknown one is an error.
CREATE TABLE transfers_new (
    lane BIGINT NOT NULL,
    place BIGINT NOT NULL CHECK (place > 0),
    at BIGINT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    about TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (reason <> ''),
    hash TEXT NOT NULL,
    PRIMARY KEY (lane, place),
    CHECK (debit <> credit)
);
INSERT INTO transfers_new (lane, place, at, mode, about, debit, credit, amount, currency, reason, hash)
    SELECT lane, place, at, mode, payment, debit, credit, amount, currency, reason, hash FROM transfers;
DROP TABLE transfers;
ALTER TABLE transfers_new RENAME TO transfers;
CREATE INDEX transfers_by_about ON transfers (about);
