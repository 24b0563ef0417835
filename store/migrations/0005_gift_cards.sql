-- Gift cards, their history, how often they were guessed, and how merchants run them. Payments may
-- draw on a card.

CREATE TABLE gift_cards (
    id TEXT NOT NULL PRIMARY KEY,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    number_hash TEXT NOT NULL UNIQUE,
    cvc_hash TEXT NOT NULL,
    last5 TEXT NOT NULL,
    vendors TEXT NOT NULL,
    currency TEXT NOT NULL,
    last_day TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('inactive', 'active', 'blocked', 'expired', 'closed')
    ),
    balance BIGINT NOT NULL CHECK (balance >= 0),
    held BIGINT NOT NULL CHECK (held >= 0),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK (held <= balance)
);
CREATE INDEX gift_cards_by_merchant ON gift_cards (merchant, mode, id);
CREATE INDEX gift_cards_by_last5 ON gift_cards (merchant, mode, last5);
CREATE INDEX gift_cards_due ON gift_cards (ends_at) WHERE state NOT IN ('expired', 'closed');
CREATE INDEX gift_cards_left ON gift_cards (id) WHERE state = 'expired' AND balance > held;

CREATE TABLE gift_card_activities (
    card TEXT NOT NULL REFERENCES gift_cards (id),
    place BIGINT NOT NULL CHECK (place > 0),
    at BIGINT NOT NULL,
    deed TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    balance BIGINT NOT NULL CHECK (balance >= 0),
    held BIGINT NOT NULL CHECK (held >= 0 AND held <= balance),
    payment TEXT REFERENCES payments (id),
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (card, place)
);

-- Wrong tries, by what they count for: a card number (keyed hash), a payment, a client, an address.
CREATE TABLE guesses (
    scope TEXT NOT NULL CHECK (scope IN ('card', 'payment', 'client', 'address')),
    key TEXT NOT NULL,
    wrong BIGINT NOT NULL CHECK (wrong >= 0),
    since_at BIGINT NOT NULL,
    today BIGINT NOT NULL CHECK (today >= 0),
    day_at BIGINT NOT NULL,
    locked_until BIGINT,
    PRIMARY KEY (scope, key)
);
CREATE INDEX guesses_by_age ON guesses (day_at);

CREATE TABLE gift_programmes (
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    settings TEXT NOT NULL,
    PRIMARY KEY (merchant, mode)
);

ALTER TABLE payments ADD COLUMN gift_card TEXT REFERENCES gift_cards (id);
ALTER TABLE payments ADD COLUMN gift_last5 TEXT;
CREATE INDEX payments_held ON payments (created_at)
    WHERE gift_card IS NOT NULL AND state = 'authorized' AND captured + released < authorized;
CREATE INDEX payments_by_gift_card ON payments (bill, id) WHERE gift_card IS NOT NULL;
