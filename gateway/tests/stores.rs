//! A shop's data in other places: backed up under load and put back, moved to PostgreSQL and home
//! again, with the commands that an operator types.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and may print"
)]

mod process;

use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use process::client::Client;
use process::cluster::Cluster;
use process::{Gateway, florin, run, said};

const FORM: &str = "application/x-www-form-urlencoded";
const BILL: &str = "amount=10.50&currency=SGD&payment_methods%5B%5D=card";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Creates a payment request and pays it; its id.
fn pay(client: &mut Client) -> String {
    let answer = client.post("/v1/payment-requests", FORM, BILL).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let id = json["id"].as_str().unwrap().to_owned();
    let order = format!("{{\"payment\":\"{id}\",\"outcome\":\"approve\"}}");
    let paid = client.post("/sandbox/simulate", "application/json", &order);
    assert_eq!(paid.unwrap().status, 200);
    id
}

fn paid(client: &mut Client, id: &str) {
    let answer = client.get(&format!("/v1/payment-requests/{id}")).unwrap();
    assert_eq!(answer.status, 200, "{id} is lost");
    assert!(answer.body.contains("\"completed\""), "{}", answer.body);
}

/// Gives a folder the keys of another: they are no part of a database.
fn same_keys(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in ["master.key", "sandbox.json"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

/// A gateway on a folder's database, or on a PostgreSQL.
fn gateway(data: &Path, database: Option<&str>) -> Gateway {
    let mut command = florin();
    command
        .args(["sandbox", "--log-level", "error", "--listen", "127.0.0.1:0"])
        .arg("--data")
        .arg(data)
        .stdout(Stdio::null());
    if let Some(url) = database {
        command.args(["--database", url]);
    }
    Gateway::wait(command, data)
}

/// Runs a command that must succeed; what it said on standard output and on standard error.
fn done(args: &[&str]) -> (String, String) {
    let output = run(args);
    let err = said(&output);
    assert!(output.status.success(), "{args:?}: {err}");
    (String::from_utf8(output.stdout).unwrap(), err)
}

/// Exit 1 and one clear line that names what is wrong.
fn refuses(args: &[&str], named: &str) {
    let output = run(args);
    let said = said(&output);
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert!(last.contains(named), "{named}: {said}");
    let words = |line: &str| line.starts_with("florin: ");
    assert_eq!(said.lines().filter(|line| words(line)).count(), 1, "{said}");
}

#[test]
fn a_backup_under_load_has_all_that_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let copy = folder.path().join("shop.backup");
    let mut running = gateway(&old, None);
    let (acknowledged, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let before = std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = running.client();
            let (acknowledged, stop) = (&acknowledged, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let id = pay(&mut client);
                    acknowledged.lock().unwrap().push(id);
                }
            });
        }
        while acknowledged.lock().unwrap().len() < 100 {
            std::thread::yield_now();
        }
        let before = acknowledged.lock().unwrap().clone();
        let made = std::panic::catch_unwind(|| {
            done(&["backup", "--data", text(&old), "--to", text(&copy)])
        });
        stop.store(true, Ordering::SeqCst);
        let (out, _) = made.unwrap();
        assert!(
            out.contains("SHA-256") && out.contains("master key"),
            "{out}"
        );
        before
    });
    assert!(acknowledged.lock().unwrap().len() > before.len());
    // It is not put where there is something, nor where a gateway runs.
    let restore = ["restore", "--from", text(&copy), "--data"];
    refuses(
        &[&restore[..], &[text(&old)]].concat(),
        "in use by another florin",
    );
    running.signal("-KILL");
    refuses(
        &[&restore[..], &[text(&old)]].concat(),
        "never put over a database",
    );
    let (out, err) = done(&[&restore[..], &[text(&new)]].concat());
    assert!(out.contains("the ledger is whole"), "{out}");
    assert!(err.contains("100 %"), "{err}");
    same_keys(&old, &new);
    let restored = gateway(&new, None);
    let mut client = restored.client();
    for id in &before {
        paid(&mut client, id);
    }
    paid(&mut restored.client(), &pay(&mut client));
    println!(
        "backup: {} payments acknowledged before it, none lost",
        before.len()
    );
    // One bit is enough.
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&copy, bytes).unwrap();
    let third = folder.path().join("third");
    refuses(&[&restore[..], &[text(&third)]].concat(), "is damaged");
    assert!(!third.join("florin.db").exists());
}

#[test]
fn a_shop_moves_to_postgres_and_home_again() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (old, node, home) = ["old", "node", "home"]
        .map(|name| folder.path().join(name))
        .into();
    let url = cluster.url();
    let mut first = gateway(&old, None);
    let mut ids: Vec<String> = (0..20).map(|_| pay(&mut first.client())).collect();
    let there = format!("sqlite:{}", old.display());
    let to_postgres = ["store", "move", "--from", &there, "--to", &url];
    refuses(&to_postgres, "in use by another florin");
    assert_eq!(first.signal("-TERM"), Some(0));
    let before = std::fs::read(old.join("florin.db")).unwrap();
    let (out, err) = done(&to_postgres);
    assert!(out.contains("the same on both sides"), "{out}");
    assert!(
        out.contains("bills") && out.contains("20 rows  hash "),
        "{out}"
    );
    for stage in ["copying", "comparing", "chains"] {
        assert!(err.contains(stage), "{stage}: {err}");
    }
    assert_eq!(
        std::fs::read(old.join("florin.db")).unwrap(),
        before,
        "it is as it was"
    );
    refuses(&to_postgres, "is not empty");
    done(&["ledger", "verify", "--database", &url]);

    same_keys(&old, &node);
    let mut second = gateway(&node, Some(&url));
    let mut client = second.client();
    ids.iter().for_each(|id| paid(&mut client, id));
    ids.extend((0..20).map(|_| pay(&mut client)));
    let back = format!("sqlite:{}", home.display());
    let to_sqlite = ["store", "move", "--from", &url, "--to", &back];
    refuses(
        &to_sqlite,
        "a gateway is working on it: stop every node first",
    );
    assert_eq!(second.signal("-TERM"), Some(0));
    done(&to_sqlite);

    same_keys(&old, &home);
    let third = gateway(&home, None);
    let mut client = third.client();
    ids.iter().for_each(|id| paid(&mut client, id));
    ids.push(pay(&mut client));
    done(&["ledger", "verify", "--data", text(&home)]);
}

#[test]
fn what_cannot_be_moved_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let empty = format!("sqlite:{}", folder.path().join("empty").display());
    let url = "postgres://u:hush@127.0.0.1:1/d";
    for (args, code, named) in [
        (["--from", "data", "--to", url], 2, "--from is sqlite:"),
        (
            ["--from", &empty, "--to", "mysql://u:hush@h/d"],
            2,
            "--to is sqlite:",
        ),
        (["--from", &empty, "--to", url], 1, "there is no such file"),
        (["--from", url, "--to", &empty], 1, "127.0.0.1:1"),
        (
            ["--from", "postgres://u@h:x/d", "--to", &empty],
            2,
            "cannot be used",
        ),
    ] {
        let output = run(&[&["store", "move"], &args[..]].concat());
        let line = said(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(named) && !line.contains("hush"), "{line}");
    }
}
