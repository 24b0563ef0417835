//! `florin giftcards`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::desk::{Desk, JSON, PAYMENTS, call, command, perform, till};
use crate::process::{Gateway, florin, said};

#[test]
fn a_card_is_issued_shown_stopped_and_let_go() {
    let desk = Desk::new();
    let vendor = ["--vendor", "100001", "--reason", "a raffle"];
    let card = desk.card("500.00", &vendor);
    assert_eq!((card.number.len(), card.cvc.len()), (19, 3));
    let shown = desk.does(&["show", card.last5()]);
    for part in ["NOK 500.00", "active", "shops 100001", "operator: a raffle"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(
        !shown.contains(&card.number) && !shown.contains("cvc"),
        "{shown}"
    );
    // By its whole number, from standard input.
    let mut child = florin()
        .args(["giftcards", "show", "-", "--json", "--data"])
        .arg(desk.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", card.number).unwrap();
    let shown: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let id = shown["cards"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(shown["cards"][0]["last5"], card.last5());
    let mut client = desk.client();
    let pay = |client: &mut _| {
        let body = json!({
            "paymentTotal": 10, "reference": "t", "accessMode": "api", "vendorId": "100001",
        });
        let (_, made) = call(client, PAYMENTS, &body);
        let id = made["paymentId"].as_str().unwrap().to_owned();
        let (status, told) = perform(client, &id, &[&card]);
        (status, told["errorCode"].as_u64().unwrap_or(0))
    };
    let blocked = desk.does(&["block", &id, "--reason", "reported lost"]);
    assert!(blocked.contains("is blocked: NOK 500.00"), "{blocked}");
    assert_eq!(pay(&mut client), (400, 105));
    desk.refuses(
        &["block", &id, "--reason", "again"],
        1,
        "The card is blocked",
    );
    desk.refuses(&["unblock", &id, "--reason", " "], 2, "say why");
    desk.does(&["unblock", &id, "--reason", "found again"]);
    assert_eq!(pay(&mut client), (200, 0));
    let told = desk.json(&["top-up", &id, "--amount", "100.00", "--reason", "goodwill"]);
    assert_eq!(told["balance"], "590.00");
    desk.refuses(
        &["top-up", &id, "--amount", "1.001", "--reason", "x"],
        2,
        "no amount like 500.00",
    );
    let history = desk.json(&["show", &id]);
    let lines: Vec<String> = history["cards"][0]["history"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|line| format!("{} {}", line["what"].as_str().unwrap(), line["reason"]))
        .collect();
    assert_eq!(lines[1], "block \"reported lost\"");
    assert_eq!(lines[2], "unblock \"found again\"");
    assert_eq!(lines[5], "top_up \"goodwill\"");
    desk.refuses(&["show", "00000"], 1, "No card of this merchant");
    desk.refuses(&["show", "card_nobody"], 1, "No card of this merchant");
}

#[test]
fn a_lost_card_is_replaced_and_another_takes_what_is_left() {
    let desk = Desk::new();
    let mut client = desk.client();
    let (lost, other) = (desk.card("80.00", &[]), desk.card("5.00", &["--inactive"]));
    let new = desk.json(&["replace", &lost.number, "--reason", "lost"]);
    assert_eq!(new["balance"], "80.00");
    let new = crate::desk::Card {
        number: new["number"].as_str().unwrap().to_owned(),
        cvc: new["cvc"].as_str().unwrap().to_owned(),
    };
    let id = till(&mut client, &json!(10));
    assert_eq!(perform(&mut client, &id, &[&lost]).1["errorCode"], 105);
    assert_eq!(perform(&mut client, &id, &[&other]).1["errorCode"], 105);
    assert_eq!(perform(&mut client, &id, &[&new]).0, 200);
    let moved = [
        "transfer",
        &new.number,
        "--to",
        &other.number,
        "--reason",
        "one card",
    ];
    let told = desk.json(&moved);
    assert_eq!(
        (&told["balance"], &told["state"]),
        (&json!("75.00"), &json!("inactive"))
    );
    desk.refuses(&moved, 1, "The card is closed");
    desk.does(&["activate", &other.number, "--reason", "handed out"]);
    let id = till(&mut client, &json!(75));
    assert_eq!(perform(&mut client, &id, &[&other]).1["paidAmount"], 75);
    let report = desk.json(&["report"]);
    assert_eq!(report["agrees"], true);
    assert_eq!(report["currencies"][0]["outstanding"], "0.00");
}

#[test]
fn a_batch_goes_to_a_file_and_can_be_given_again() {
    let desk = Desk::new();
    let file = desk.folder.path().join("cards.csv");
    let path = file.to_str().unwrap();
    desk.refuses(&["issue", "--amount", "5", "--count", "51"], 2, "--out");
    desk.refuses(
        &["issue", "--amount", "5", "--count", "0"],
        2,
        "--count is 1 to",
    );
    desk.refuses(&["issue", "--amount", "-5"], 2, "");
    desk.refuses(
        &["issue", "--amount", "5", "--last-day", "2020-12-31"],
        2,
        "its last day, 2020-12-31, is over",
    );
    desk.refuses(
        &["issue", "--amount", "5", "--currency", "KR"],
        2,
        "no currency",
    );
    let args = [
        "issue", "--amount", "25.00", "--count", "450", "--out", path,
    ];
    let output = desk.command(&args);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("100 %  issuing"),
        "{}",
        said(&output)
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(&file).unwrap();
    let numbers: std::collections::BTreeSet<&str> =
        text.lines().skip(1).map(|line| &line[..19]).collect();
    assert_eq!(numbers.len(), 450);
    assert!(text.starts_with("number,cvc,amount,currency,last_day,vendors,state\n"));
    desk.refuses(&args, 1, "never overwritten");
    let again = desk.does(&["import", path]);
    assert_eq!(
        again,
        "0 cards are issued. 450 were there before and are unchanged.\n"
    );
    let report = desk.json(&["report"]);
    assert_eq!(report["currencies"][0]["outstanding"], "11250.00");
    assert_eq!(report["currencies"][0]["cards"], 450);
    // The same number with another code or amount is another card, which cannot be.
    let line = text.lines().nth(2).unwrap().replace(",25.00,", ",26.00,");
    let other = desk.folder.path().join("other.csv");
    fs::write(
        &other,
        format!("{}\n{line}\n", text.lines().next().unwrap()),
    )
    .unwrap();
    desk.refuses(
        &["import", other.to_str().unwrap()],
        2,
        "line 2: another card has this number",
    );
}

#[test]
fn a_file_with_anything_wrong_imports_nothing() {
    let desk = Desk::new();
    let write = |text: &str| {
        let file = desk.folder.path().join("in.csv");
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let file = write("amount,last_day\n5.00,2030-12-31\n5.00,31.12.2030\n");
    let out = desk.folder.path().join("out.csv");
    let out = out.to_str().unwrap();
    desk.refuses(&["import", &file], 2, "2 lines have no number");
    desk.refuses(
        &["import", &file, "--out", out],
        2,
        "line 3: \"31.12.2030\" is no date",
    );
    assert!(desk.does(&["report"]).contains("No card was ever issued"));
    desk.refuses(&["import", "/nowhere.csv"], 1, "cannot read /nowhere.csv");
    let file = write("number,cvc,amount,currency,vendors\n4711471147114711,077,10.00,SGD,100001\n");
    assert_eq!(desk.does(&["import", &file]), "1 cards are issued.\n");
    let shown = desk.does(&["show", "14711"]);
    assert!(
        shown.contains("SGD 10.00") && shown.contains("shops 100001"),
        "{shown}"
    );
    let file = write("number,amount\n4711471147114712,10.00\n");
    desk.refuses(&["import", &file], 2, "takes no card without one");
    let file = write("number,cvc,amount,vendors\n4711471147114712,077,10.00,Oslo\n");
    desk.refuses(&["import", &file], 2, "\"Oslo\" is no shop");
}

#[test]
fn a_batch_that_breaks_off_goes_on_where_it_was() {
    let mut desk = Desk::new();
    let file = desk.folder.path().join("cards.csv");
    let path = file.to_str().unwrap().to_owned();
    let mut batch = florin()
        .args([
            "giftcards",
            "issue",
            "--amount",
            "10.00",
            "--count",
            "4000",
            "--out",
            &path,
        ])
        .arg("--data")
        .arg(desk.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = std::io::BufReader::new(batch.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut progress, &mut line).unwrap();
    assert!(
        line.starts_with("[#-") && line.ends_with("issuing\n"),
        "{line}"
    );
    let address = desk.gateway.address.to_string();
    desk.gateway.signal("-KILL");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut progress, &mut rest).unwrap();
    assert!(!batch.wait().unwrap().success(), "{rest}");
    assert!(
        rest.contains(&format!("Go on with: florin giftcards import {path}")),
        "{rest}"
    );
    desk.gateway = Gateway::start(desk.folder.path(), &address);
    let told = desk.does(&["import", &path]);
    assert!(told.contains("were there before"), "{told}");
    let report = desk.json(&["report"]);
    let nok = &report["currencies"][0];
    assert_eq!(
        (&nok["cards"], &nok["outstanding"]),
        (&json!(4000), &json!("40000.00"))
    );
    assert_eq!(report["agrees"], true);
}

#[test]
fn the_report_is_the_ledger_to_the_oere() {
    let desk = Desk::new();
    let mut client = desk.client();
    let (one, soon) = (desk.card("100.10", &[]), desk.card("50.00", &[]));
    desk.card("7.77", &["--inactive"]);
    desk.card("9.00", &["--currency", "SGD"]);
    let id = till(&mut client, &json!(30.05));
    perform(&mut client, &id, &[&one]);
    // One whose last day is today, seen from Oslo.
    let now = client.get("/sandbox/clock").unwrap().body;
    let now: Value = serde_json::from_str(&now).unwrap();
    let now: jiff::Timestamp = now["now"].as_str().unwrap().parse().unwrap();
    let oslo = gateway::operations::validity::zone("Europe/Oslo").unwrap();
    let today = now.to_zoned(oslo).date().to_string();
    desk.card("1.23", &["--last-day", &today]);
    client
        .post("/sandbox/clock", JSON, r#"{"advance":"40d"}"#)
        .unwrap();
    desk.does(&["block", &soon.number, "--reason", "lost"]);
    let report = desk.json(&["report"]);
    assert_eq!(report["agrees"], true);
    let nok = &report["currencies"][0];
    assert_eq!(
        nok["ledger"],
        json!({
            "issued": "159.10", "spent": "30.05", "expired": "1.23", "outstanding": "127.82",
        })
    );
    assert_eq!(
        (&nok["outstanding"], &nok["difference"]),
        (&json!("127.82"), &json!("0.00"))
    );
    let of = |name: &str, range: &str| {
        let rows = nok[name].as_array().unwrap();
        rows.iter().find(|row| row["range"] == range).unwrap()["outstanding"].clone()
    };
    assert_eq!(of("by_state", "blocked"), "50.00");
    assert_eq!(of("by_state", "inactive"), "7.77");
    assert_eq!(of("by_age", "31 to 90 days"), "127.82");
    assert_eq!(of("by_expiry", "later"), "127.82");
    assert_eq!(report["currencies"][1]["outstanding"], "9.00");
    let shown = desk.does(&["report"]);
    assert!(shown.contains("NOK  127.82 on 3 cards"), "{shown}");
    let verified = florin()
        .args(["ledger", "verify", "--data"])
        .arg(desk.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(verified.stdout.clone()).unwrap();
    assert!(
        told.contains("5 gift cards compared"),
        "{told}{}",
        said(&verified)
    );
}

#[test]
fn a_programme_is_changed_by_parts_and_checked() {
    let desk = Desk::new();
    let told = desk.does(&[
        "programme",
        "--prefix",
        "4711",
        "--digits",
        "16",
        "--months",
        "12",
    ]);
    assert!(told.contains("\"prefix\": \"4711\"") && told.contains("\"everywhere\": true"));
    let card = desk.card("5.00", &[]);
    assert!(
        card.number.len() == 16 && card.number.starts_with("4711"),
        "{card:?}"
    );
    desk.refuses(&["programme", "--zone", "Mars"], 2, "Mars");
    desk.refuses(&["programme", "--prefix", "47x"], 2, "a prefix is digits");
    desk.refuses(&["programme", "--digits", "10"], 2, "12 to 19");
    desk.refuses(&["programme", "--months", "0"], 2, "1 to 600");
    let told = desk.does(&["programme", "--rest-by", "", "--everywhere", "false"]);
    assert!(
        told.contains("\"rest_by\": []") && told.contains("\"months\": 12"),
        "{told}"
    );
}

#[test]
fn without_a_gateway_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), &["report"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no running gateway answers"));
}
