//! Every bound in the product, each with its reason.

use crate::moment::Span;

/// Characters in the text of an amount: enough for 64 bits with decimals and needless zeros.
pub const AMOUNT_TEXT_MAX: usize = 40;

/// Bytes of an id on the wire: the longest any of the four contracts allows is 255.
pub const WIRE_ID_MAX: usize = 255;

/// Bytes of a request body (413 above it), as the contracts settle it.
pub const BODY_MAX: usize = 256 * 1024;

/// Fields in one form or one JSON object: far above any client, and few enough to look
/// through.
pub const FIELDS_MAX: usize = 1_000;

/// Values in one JSON body, whatever they are in: a receipt of a thousand lines, each with all that
/// it can say, has fewer.
pub const VALUES_MAX: usize = 20_000;

/// Depth of nested JSON and of form keys such as `a[b][c]`.
pub const DEPTH_MAX: usize = 16;

/// Bytes of a request's head, and how many headers: hyper refuses more with 431.
pub const HEAD_MAX: usize = 32 * 1024;

/// How many request headers are read.
pub const HEADERS_MAX: usize = 100;

/// How long a client may take to send one request. Shorter than the time for all of it, so that
/// whoever is slow is told so.
pub const BODY_TIMEOUT: Span = Span::from_seconds(25);

/// How long a request may take, from its head to its answer.
pub const REQUEST_TIMEOUT: Span = Span::from_seconds(30);

/// Bytes of the metadata of a bill, as JSON. What a dialect's own limit of a body bounds needs no
/// other one.
pub const EXTRAS_MAX: usize = 64 * 1024;

/// Writes that may wait for the writer thread; one more is answered 503 at once.
pub const WRITE_QUEUE_MAX: usize = 1_024;

/// Writes in one commit: past a few hundred the sync is no longer what costs.
pub const GROUP_MAX: usize = 256;

/// Work in one commit before it is synced, so that the first caller does not wait for the last.
pub const GROUP_WORK_MAX: Span = Span::from_millis(20);

/// Read-only connections to the embedded database.
pub const READERS: usize = 4;

/// Reads that may wait for a reader thread; one more is answered 503 at once.
pub const READ_QUEUE_MAX: usize = 1_024;

/// Writes in one commit on PostgreSQL: they wait for one another's statements.
pub const PG_GROUP_MAX: usize = 64;

/// Writing connections of one node to PostgreSQL. Callers share its commits, and transactions of
/// one connection cannot conflict: fresh rows stand next to each other in every index, and there
/// PostgreSQL takes neighbours for rivals. Four connections made a fourteenth of the payments.
pub const PG_WRITERS: usize = 1;

/// Reading connections of one node to PostgreSQL.
pub const PG_READERS: usize = 4;

/// Rows of one page of a list, at most.
pub const PAGE_MAX: u32 = 100;

/// Rows of a list that are counted for its total: past it the total is not exact, and counting does
/// not take longer the more there are.
pub const COUNTED_MAX: u32 = 10_000;

/// Newest bills that a text search looks through: `LIKE` is outside the SQL both databases share.
pub const SEARCH_MAX: u32 = 10_000;

/// Payments of one bill that an answer shows, newest last: a repeated link may have many.
pub const PAYMENTS_SHOWN_MAX: u32 = 100;

/// Declined tries on one bill within [`DECLINES_WINDOW`] before the page asks the payer to come
/// back later: a stranger must not test stolen cards on a link.
pub const DECLINES_MAX: u32 = 20;

/// How long a declined try counts.
pub const DECLINES_WINDOW: Span = Span::from_minutes(60);

/// How long the answer to an idempotency key is kept, unless the operator says otherwise.
pub const IDEMPOTENCY_KEPT: Span = Span::from_minutes(30 * 24 * 60);

/// How long webhooks that are over are kept, unless the operator says otherwise.
pub const DELIVERIES_KEPT: Span = Span::from_minutes(90 * 24 * 60);

/// Deliveries of a time range that are sent again in one transaction: payments that are made
/// meanwhile wait for one of these at most.
pub const RESENT_AT_ONCE: u32 = 50;

/// Rows that one pass of a worker takes at most, so that no transaction grows without bound.
pub const SWEEP_MAX: u32 = 500;

/// Webhooks on their way at once.
pub const IN_FLIGHT_MAX: usize = 256;

/// Webhooks on their way to one endpoint at once; it is reached by one more for each success.
pub const IN_FLIGHT_OF_ONE_MAX: usize = 64;

/// Webhooks on their way to an endpoint that nothing is known of yet.
pub const IN_FLIGHT_OF_A_NEW_ONE: usize = 8;

/// Webhooks on their way to endpoints that failed last time, all together: half of the places
/// stay free for those that answer.
pub const IN_FLIGHT_OF_FAILING_MAX: usize = 128;

/// How much later than planned a webhook is sent on a machine that is busy: the worker looks for
/// what is due every half second.
pub const LATENESS: Span = Span::from_seconds(1);

/// The longest wait that a receiver may ask for with `Retry-After`.
pub const RETRY_AFTER_MAX: Span = Span::from_minutes(24 * 60);

/// Characters of an endpoint's label: a name for a person, not a text.
pub const LABEL_MAX: usize = 100;

/// Endpoints of one merchant, mode and scheme, unless the scheme has a limit of its own.
pub const ENDPOINTS_MAX: u32 = 100;

/// Queues of endpoints with something due that one look takes, fairest first.
pub const QUEUES_MAX: u32 = 1_000;

/// Topics that one endpoint may list.
pub const TOPICS_MAX: usize = 100;

/// How long the old secret of an endpoint stays valid while it is being replaced.
pub const ROTATION: Span = Span::from_minutes(24 * 60);

/// How long a stopping process waits for requests under way.
pub const STOP_MAX: Span = Span::from_seconds(8);

/// How long a payer may take for the bank's own page (3-D Secure) before another try replaces it.
/// After a card in the call nobody could begin another try: there it is open as long as the bill.
pub const CHALLENGE_MAX: Span = Span::from_minutes(15);

/// How long an attempt may stay "asked" before a worker asks the rail what became of it.
pub const ATTEMPT_DEADLINE: Span = Span::from_seconds(60);

/// How long a worker holds a delivery before another may take it: the longest time-out of a
/// dialect (30 s) and as much again.
pub const LEASE: Span = Span::from_seconds(60);

/// Deliveries that one worker claims at once.
pub const CLAIM_MAX: u32 = 64;

/// Bytes of an endpoint's answer that are read and kept.
pub const ANSWER_MAX: usize = 16 * 1024;

/// Bytes of the head of an endpoint's answer: far above any that is meant.
pub const ANSWER_HEAD_MAX: usize = 32 * 1024;

/// Headers of an endpoint's answer.
pub const ANSWER_HEADERS_MAX: usize = 100;

/// How long a looked-up API key is remembered in memory.
pub const KEY_CACHE: Span = Span::from_seconds(30);

/// API keys remembered in memory at once.
pub const KEY_CACHE_MAX: usize = 10_000;

/// Digits of a gift-card number: the longest of any issuer is 19, and shorter than 12 could be
/// guessed.
pub const CARD_NUMBER_MIN: usize = 12;

/// See [`CARD_NUMBER_MIN`].
pub const CARD_NUMBER_MAX: usize = 19;

/// Gift-card parts that one bill ever had, removed ones included: each is a row, and a visitor
/// must not be able to make them without end.
pub const PARTS_PER_BILL: u32 = 50;

/// How long gift cards hold their parts of a bill for a payer who does nothing, at least: longer
/// if pages are configured to live longer.
pub const HOLD_MAX: Span = Span::from_minutes(60);

/// How long a gift card is good again at least when money comes back to it after its time.
pub const RENEWED_DAYS: u32 = 90;

/// Activities of a gift card that an answer shows, newest first.
pub const ACTIVITIES_SHOWN_MAX: u32 = 100;

/// Gift cards issued by one batch.
pub const CARD_BATCH_MAX: usize = 100_000;

/// Gift cards issued in one transaction of a batch.
pub const CARDS_PER_WRITE: usize = 200;

/// Characters of the reason that an operator gives for what is done to a gift card.
pub const REASON_MAX: usize = 200;
