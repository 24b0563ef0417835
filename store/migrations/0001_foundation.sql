-- Merchants, their keys and secrets; bills, payments, attempts; the ledger; events and deliveries.
-- One text for SQLite and PostgreSQL: TEXT and BIGINT only, times in milliseconds since 1970.

CREATE TABLE merchants (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    currency TEXT NOT NULL,
    link_mode TEXT NOT NULL CHECK (link_mode IN ('test', 'live')),
    created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    digest TEXT NOT NULL PRIMARY KEY,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    dialect TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX api_keys_by_merchant ON api_keys (merchant, mode, dialect);

-- Secrets that must be used again, sealed under the master key.
CREATE TABLE secrets (
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    name TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (merchant, mode, name)
);

CREATE TABLE bills (
    id TEXT NOT NULL PRIMARY KEY,
    dialect TEXT NOT NULL,
    wire_id TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    amount BIGINT NOT NULL CHECK (amount >= 0),
    currency TEXT NOT NULL,
    reference TEXT,
    expires_at BIGINT,
    repeatable BIGINT NOT NULL CHECK (repeatable IN (0, 1)),
    details TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'failed', 'expired', 'withdrawn')),
    state_at BIGINT,
    cause TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (dialect, wire_id),
    CHECK ((state = 'open') = (state_at IS NULL)),
    CHECK ((state = 'failed') = (cause IS NOT NULL))
);
CREATE INDEX bills_by_merchant ON bills (merchant, mode, id);
CREATE INDEX bills_by_reference ON bills (merchant, mode, reference) WHERE reference IS NOT NULL;
CREATE INDEX bills_due ON bills (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

CREATE TABLE payments (
    id TEXT NOT NULL PRIMARY KEY,
    dialect TEXT NOT NULL,
    wire_id TEXT NOT NULL,
    bill TEXT NOT NULL REFERENCES bills (id),
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    method TEXT NOT NULL,
    rail TEXT NOT NULL,
    instrument TEXT,
    state TEXT NOT NULL CHECK (
        state IN ('pending', 'authorized', 'aborted', 'expired', 'cancelled', 'rejected')
    ),
    state_at BIGINT,
    cause TEXT,
    authorized BIGINT NOT NULL,
    captured BIGINT NOT NULL,
    released BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (dialect, wire_id),
    CHECK ((state = 'pending') = (state_at IS NULL)),
    CHECK ((state = 'rejected') = (cause IS NOT NULL)),
    CHECK ((state = 'authorized') = (authorized > 0)),
    CHECK (authorized <= amount),
    CHECK (captured >= 0 AND released >= 0 AND captured + released <= authorized),
    CHECK (refunded >= 0 AND refunded <= captured)
);
CREATE INDEX payments_by_bill ON payments (bill, id);

CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    payment TEXT NOT NULL REFERENCES payments (id),
    bill TEXT NOT NULL REFERENCES bills (id),
    once TEXT NOT NULL,
    rail TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('asked', 'challenged', 'approved', 'declined', 'abandoned')
    ),
    cause TEXT,
    asked_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (bill, once),
    CHECK ((state = 'declined') = (cause IS NOT NULL))
);
CREATE INDEX attempts_asked ON attempts (asked_at) WHERE state = 'asked';

-- The ledger: a chain of transfers per lane, each row carrying the hash of all before it.
CREATE TABLE transfers (
    lane BIGINT NOT NULL,
    place BIGINT NOT NULL CHECK (place > 0),
    at BIGINT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    payment TEXT NOT NULL REFERENCES payments (id),
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('authorize', 'capture', 'release', 'refund')),
    hash TEXT NOT NULL,
    PRIMARY KEY (lane, place),
    CHECK (debit <> credit)
);
CREATE INDEX transfers_by_payment ON transfers (payment);

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    fact TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    bill TEXT NOT NULL REFERENCES bills (id),
    payment TEXT REFERENCES payments (id),
    at BIGINT NOT NULL
);
CREATE INDEX events_by_bill ON events (bill, id);

-- The outbox: one row per event, target and topic, written with the change it announces.
CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    event TEXT NOT NULL REFERENCES events (id),
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    dialect TEXT NOT NULL,
    bill TEXT NOT NULL REFERENCES bills (id),
    target TEXT NOT NULL,
    subject TEXT NOT NULL,
    topic TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'paused')),
    attempts BIGINT NOT NULL,
    first_at BIGINT,
    next_at BIGINT,
    lease TEXT,
    created_at BIGINT NOT NULL,
    CHECK ((state = 'pending') = (next_at IS NOT NULL))
);
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'pending';
CREATE INDEX deliveries_in_order ON deliveries (subject, target, id) WHERE state = 'pending';
CREATE INDEX deliveries_by_bill ON deliveries (bill, id);
CREATE INDEX deliveries_by_merchant ON deliveries (merchant, mode, id);

CREATE TABLE delivery_attempts (
    delivery TEXT NOT NULL REFERENCES deliveries (id),
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    status BIGINT,
    error TEXT,
    request_headers TEXT NOT NULL,
    request_body TEXT NOT NULL,
    response_headers TEXT NOT NULL,
    response_body TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
);

-- First answers to requests that came with an idempotency key.
CREATE TABLE idempotency (
    scope TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency (at);

-- Whole objects that no rule looks at.
CREATE TABLE records (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
