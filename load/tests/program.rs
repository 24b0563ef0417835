//! The program as `./bench` and `./torture` start it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::process::{Command, Output};

fn load(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_load"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn it_says_what_it_can_do() {
    for (args, option) in [
        (&["--help"][..], "--postgres"),
        (&["torture", "--help"], "--events"),
    ] {
        let output = load(args);
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(option));
    }
}

#[test]
fn a_torture_of_nothing_and_one_of_everything_are_refused() {
    for args in [
        &["torture"][..],
        &["torture", "--webhooks", "--gift-cards"],
        &["torture", "--webhooks", "--events", "0"],
        &["--rounds", "0"],
    ] {
        assert_eq!(load(args).status.code(), Some(2), "{args:?}");
    }
}

/// Exits with 2: nothing was measured, so nothing was proved or disproved.
#[test]
fn a_server_that_is_not_there_is_an_error_and_no_verdict() {
    let nowhere = ["--florin", "/nowhere/florin", "torture", "--webhooks"];
    let output = load(&nowhere);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/florin"));
}
