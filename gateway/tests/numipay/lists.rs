//! The list: days, and many rows in bounded memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;

use axum::body::Body;
use domain::bill::Payer;
use domain::transaction::Flow;
use domain::{
    Ask, Bill, Caller, Currency, Direction, Mode, Moment, Money, Seed, Timestamp, WireId,
};
use gateway::operations::transactions as lists;
use http_body_util::BodyExt;
use serde_json::Value;
use store::tables::transactions::{self as table, About, Transaction};
use store::tables::{bills, merchants};
use store::{Failure, Tx};
use tower_service::Service;

use crate::process::Gateway;
use crate::shop::{HOSTED, LIST, ONCE, PAYOUTS, Shop, minutes, text};

#[tokio::test]
async fn days_and_what_a_row_says() {
    let shop = Shop::open().await;
    // The clock stands at 2026-11-18T11:06:40Z.
    shop.fill("100.00").await;
    shop.clock.advance(minutes(24 * 60));
    let deposit = shop.begin(HOSTED, "D-1", "5.00").await;
    shop.clock.advance(minutes(1));
    shop.begin(PAYOUTS, "W-1", "500.00").await;
    let ids = |list: &Value| -> Vec<String> {
        let rows = list.as_array().unwrap();
        rows.iter()
            .map(|row| text(row, "tracking_id").to_owned())
            .collect()
    };
    let (_, today) = shop.get(LIST).await;
    assert_eq!(ids(&today), ["W-1", "D-1"], "newest first");
    let row = &today[1];
    let members: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert_eq!(
        members[..8],
        [
            "transaction_id",
            "user_id",
            "tracking_id",
            "status",
            "currency",
            "amount",
            "transaction_type",
            "transaction_status"
        ]
    );
    assert_eq!(row["transaction_id"], deposit["transaction_id"]);
    assert_eq!(
        (&row["amount"], &row["status"]),
        (&"5.00".into(), &"pending".into())
    );
    assert_eq!(row["created_at"], "2026-11-19T11:06:40Z");
    assert!(row.get("provider_id").is_none(), "nobody chose one");
    assert_eq!(today[0]["rejected_reason"], "Insufficient funds");
    for (query, expected) in [
        ("?from=18-11-2026", vec!["W-1", "D-1", "fill 100.00"]),
        ("?to=18-11-2026", vec!["fill 100.00"]),
        ("?from=18-11-2026&to=18-11-2026", vec!["fill 100.00"]),
        (
            "?from=2026-11-19T00:00:00Z&to=19-11-2026",
            vec!["W-1", "D-1"],
        ),
        ("?from=01-01-2026&to=08-01-2026", vec![]),
    ] {
        let (status, list) = shop.get(&format!("{LIST}{query}")).await;
        assert_eq!(
            (status, ids(&list)),
            (200, expected.into_iter().map(str::to_owned).collect())
        );
    }
    let (_, filled) = shop.get(&format!("{LIST}?to=18-11-2026")).await;
    assert_eq!(filled[0]["provider_id"], "sim-card");
    for query in [
        "?from=20-11-2026",
        "?from=01-11-2026&to=09-11-2026",
        "?from=x",
        "?to=32-01-2026",
    ] {
        let (status, told) = shop.get(&format!("{LIST}{query}")).await;
        assert_eq!(status, 400, "{query}: {told}");
        assert!(text(&told, "message").len() > 10);
    }
}

/// So many deposits of one day, several in a millisecond.
async fn many(shop: &Shop, count: i64) {
    let (caller, start) = (shop.caller.clone(), shop.clock.now());
    let made = move |tx: &mut Tx<'_>| insert(tx, &caller, start, 0..count);
    shop.app.store.write("many", made).await.unwrap();
}

fn insert(
    tx: &mut Tx<'_>,
    caller: &Caller,
    start: Timestamp,
    numbers: Range<i64>,
) -> Result<(), Failure> {
    let euro = Currency::parse("EUR").unwrap();
    for number in numbers {
        let at = Moment {
            now: Timestamp::from_millis(start.millis() + number / 7),
            seed: Seed::new(Seed::new([9; 32]).derive(&number.to_string())),
        };
        let ask = Ask {
            amount: Money::from_minor(100 + number, euro).unwrap(),
            expires: None,
            repeatable: false,
            reference: Some(format!("T-{number}")),
            purpose: None,
            payer: Payer::default(),
            methods: Vec::new(),
            return_url: None,
            notify_url: None,
            extras: serde_json::Map::new(),
        };
        let wire = WireId::new(format!("{number:015}")).unwrap();
        let bill = Bill::create(&at, caller, "numipay", wire.clone(), ask);
        bills::insert(tx, &bill)?;
        let row = Transaction {
            about: About::Bill(bill.head.id.clone()),
            dialect: "numipay".to_owned(),
            wire,
            merchant: caller.merchant.id.clone(),
            mode: caller.mode,
            tracking: format!("T-{number}"),
            user: "u".to_owned(),
            direction: Direction::Deposit,
            flow: Flow::Hosted.as_str().to_owned(),
            amount: bill.ask.amount,
            page: format!("page {number}"),
            answer: None,
            created: at.now,
        };
        assert!(table::insert(tx, &row)?);
    }
    Ok(())
}

/// Rows in the database of a merchant who makes a list of a busy week.
const BUSY: i64 = 100_000;

/// How much the running program may grow by such lists, in kilobytes: one of them as objects takes
/// several times as much.
const GROWTH_MAX: u64 = 64 * 1_024;

/// The most memory that a process ever used, in kilobytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let count = line.unwrap().split_whitespace().nth(1);
    count.unwrap().parse().unwrap()
}

/// The whole list, as it comes over a connection of its own.
fn list(address: SocketAddr, key: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET {LIST} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_go_through_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    // The first start makes the merchant.
    let mut gateway = Gateway::start(folder.path(), "127.0.0.1:0");
    assert_eq!(gateway.signal("-TERM"), Some(0));
    let store = store::Store::open(&folder.path().join("florin.db"), ONCE).unwrap();
    let merchant = store.read("merchant", |tx| Ok(merchants::all(tx)?.remove(0)));
    let caller = Caller {
        merchant: merchant.await.unwrap(),
        mode: Mode::Test,
    };
    let known = std::fs::read_to_string(folder.path().join("sandbox.json")).unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    let key = text(&known["numipay"], "api_key").to_owned();
    // The list is that of today.
    let now = gateway::clock::Clock::System.now();
    let start = Timestamp::from_millis(now.millis() / 86_400_000 * 86_400_000);
    for first in (0..BUSY).step_by(10_000) {
        let caller = caller.clone();
        let made = move |tx: &mut Tx<'_>| insert(tx, &caller, start, first..first + 10_000);
        store.write("many", made).await.unwrap();
    }
    store.close();
    let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
    let (process, address) = (gateway.child.id(), gateway.address);
    // From here on its highest point is counted anew.
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
    let before = peak(process);
    for together in [1, 4] {
        std::thread::scope(|scope| {
            for _ in 0..together {
                scope.spawn(|| {
                    let rows = list(address, &key).matches("\"transaction_id\"").count();
                    assert_eq!(rows, usize::try_from(BUSY).unwrap());
                });
            }
        });
        let grown = peak(process) - before;
        assert!(grown < GROWTH_MAX, "{grown} KB after {together} at once");
    }
}

#[tokio::test]
async fn a_long_list_comes_whole_in_parts_of_bounded_size() {
    let shop = Shop::open().await;
    let count = i64::from(lists::LIST_PART) * 3 + 17;
    many(&shop, count).await;
    let request = http::Request::builder()
        .uri(LIST)
        .header("x-api-key", &shop.known.api_key);
    let request = request.body(Body::empty()).unwrap();
    let response = shop.router.clone().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let (mut whole, mut largest, mut parts) = (Vec::new(), 0, 0);
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        largest = largest.max(bytes.len());
        parts += 1;
        whole.extend_from_slice(&bytes);
    }
    let rows: Vec<Value> = serde_json::from_slice(&whole).unwrap();
    assert_eq!(rows.len(), usize::try_from(count).unwrap());
    assert_eq!(parts, 4);
    assert!(
        largest < lists::LIST_PART as usize * 400,
        "{largest} bytes at once"
    );
    let place = |row: &Value| text(row, "created_at").to_owned();
    assert!(
        rows.windows(2)
            .all(|pair| place(&pair[0]) >= place(&pair[1]))
    );
    let mut seen: Vec<&str> = rows.iter().map(|row| text(row, "transaction_id")).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), rows.len(), "none twice");
}

#[tokio::test]
async fn a_list_of_exactly_one_part_ends() {
    let shop = Shop::open().await;
    many(&shop, i64::from(lists::LIST_PART)).await;
    let (status, list) = shop.get(LIST).await;
    assert_eq!(status, 200);
    assert_eq!(list.as_array().unwrap().len(), lists::LIST_PART as usize);
}
