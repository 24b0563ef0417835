-- Registered endpoints with their secrets and health; queues of deliveries; who did what by hand.
-- Events and deliveries may be about more than bills: `about` is our id of the object, whose
-- prefix says what it is.

CREATE TABLE endpoints (
    id TEXT NOT NULL PRIMARY KEY,
    scheme TEXT NOT NULL,
    wire_id TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    url TEXT NOT NULL,
    topics TEXT NOT NULL,
    label TEXT,
    extras TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'removed')),
    state_at BIGINT,
    why TEXT,
    failures BIGINT NOT NULL CHECK (failures >= 0),
    failing_since BIGINT,
    warned_at BIGINT,
    emptied BIGINT NOT NULL CHECK (emptied IN (0, 1)),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (scheme, wire_id),
    CHECK ((state = 'active') = (state_at IS NULL)),
    CHECK ((state = 'paused') = (why IS NOT NULL)),
    CHECK (emptied = 0 OR state = 'removed')
);
CREATE INDEX endpoints_by_merchant ON endpoints (merchant, mode, id) WHERE state <> 'removed';
CREATE INDEX endpoints_to_empty ON endpoints (id) WHERE state = 'removed' AND emptied = 0;

-- The newest one signs; older ones sign beside it until their time is over.
CREATE TABLE endpoint_secrets (
    endpoint TEXT NOT NULL REFERENCES endpoints (id),
    number BIGINT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    PRIMARY KEY (endpoint, number)
);

CREATE TABLE events_2 (
    id TEXT NOT NULL PRIMARY KEY,
    fact TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    about TEXT NOT NULL,
    payment TEXT REFERENCES payments (id),
    at BIGINT NOT NULL
);
INSERT INTO events_2 (id, fact, merchant, mode, about, payment, at)
    SELECT id, fact, merchant, mode, bill, payment, at FROM events;

-- A delivery with a `next_at` is due then, or leased until then. One that is pending without one
-- waits for an earlier delivery of its subject in its queue. `again` is the state to go back to
-- when an attempt by hand fails.
CREATE TABLE deliveries_2 (
    id TEXT NOT NULL PRIMARY KEY,
    event TEXT NOT NULL REFERENCES events_2 (id),
    merchant TEXT NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    scheme TEXT NOT NULL,
    about TEXT NOT NULL,
    queue TEXT NOT NULL,
    endpoint TEXT REFERENCES endpoints (id),
    target TEXT NOT NULL,
    subject TEXT NOT NULL,
    place BIGINT NOT NULL,
    topic TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    why TEXT,
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    planned BIGINT NOT NULL CHECK (planned >= 0 AND planned <= attempts),
    first_at BIGINT,
    next_at BIGINT,
    again TEXT CHECK (again IN ('pending', 'delivered', 'failed')),
    again_at BIGINT,
    lease TEXT,
    created_at BIGINT NOT NULL,
    CHECK (state = 'pending' OR next_at IS NULL),
    CHECK (lease IS NULL OR next_at IS NOT NULL),
    CHECK ((state = 'failed') = (why IS NOT NULL))
);
INSERT INTO deliveries_2 (id, event, merchant, mode, scheme, about, queue, endpoint, target,
        subject, place, topic, content_type, body, state, why, attempts, planned, first_at,
        next_at, created_at)
    SELECT id, event, merchant, mode, dialect, bill, merchant || '/' || mode || '/' || target,
        NULL, target, subject, created_at, topic, content_type, body,
        CASE WHEN state = 'paused' THEN 'pending' ELSE state END,
        CASE WHEN state = 'failed' THEN 'gave_up' ELSE NULL END,
        attempts, attempts, first_at, COALESCE(next_at, CASE WHEN state = 'paused' THEN created_at
        ELSE NULL END), created_at FROM deliveries;

CREATE TABLE delivery_attempts_2 (
    delivery TEXT NOT NULL REFERENCES deliveries_2 (id),
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
INSERT INTO delivery_attempts_2 (delivery, number, at, took_ms, status, error, request_headers,
        request_body, response_headers, response_body)
    SELECT delivery, number, at, took_ms, status, error, request_headers, request_body,
        response_headers, response_body FROM delivery_attempts;

DROP TABLE delivery_attempts;
DROP TABLE deliveries;
DROP TABLE events;
ALTER TABLE events_2 RENAME TO events;
ALTER TABLE deliveries_2 RENAME TO deliveries;
ALTER TABLE delivery_attempts_2 RENAME TO delivery_attempts;

CREATE INDEX events_about ON events (about, id);
CREATE INDEX events_by_merchant ON events (merchant, mode, id);
CREATE INDEX deliveries_due ON deliveries (queue, next_at)
    WHERE state = 'pending' AND next_at IS NOT NULL;
CREATE INDEX deliveries_in_order ON deliveries (subject, queue, place) WHERE state = 'pending';
CREATE INDEX deliveries_leased ON deliveries (lease) WHERE lease IS NOT NULL;
CREATE INDEX deliveries_about ON deliveries (about, id);
CREATE INDEX deliveries_by_merchant ON deliveries (merchant, mode, id);
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint, id) WHERE endpoint IS NOT NULL;
CREATE INDEX deliveries_failed ON deliveries (merchant, mode, id) WHERE state = 'failed';

-- What people and automatic rules did: who, what, to which object.
CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    merchant TEXT REFERENCES merchants (id),
    mode TEXT CHECK (mode IN ('test', 'live')),
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    about TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX audit_about ON audit (about, id);
CREATE INDEX audit_by_merchant ON audit (merchant, mode, id);
