//! A gateway in a process of its own, and a client for it.

#![allow(dead_code, reason = "each test crate uses its part")]

pub mod client;
pub mod cluster;
pub mod hook;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use client::Client;

/// A start is ready within this time (the promise is far less on a quiet machine; tests share
/// theirs, so only this bound fails).
const READY_WITHIN: Duration = Duration::from_secs(20);

/// The binary: the one that was built with the tests, or the one that `FLORIN` names.
pub fn florin() -> Command {
    match std::env::var_os("FLORIN") {
        Some(named) => Command::new(named),
        None => Command::new(env!("CARGO_BIN_EXE_florin")),
    }
}

/// Runs a command to its end.
pub fn run(args: &[&str]) -> Output {
    florin().args(args).output().unwrap()
}

/// What a command said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr)
        .trim_end()
        .to_owned()
}

pub struct Gateway {
    pub child: Child,
    pub address: SocketAddr,
    pub key: String,
    pub ready: Duration,
}

impl Gateway {
    /// Starts a sandbox and waits until it is ready.
    pub fn start(data: &Path, listen: &str) -> Self {
        let mut command = florin();
        command
            .args([
                "sandbox",
                "--log-level",
                "error",
                "--listen",
                listen,
                "--data",
            ])
            .arg(data)
            .stdout(Stdio::null());
        Self::wait(command, data)
    }

    /// Starts a prepared command on a data folder and waits until it is ready.
    pub fn wait(mut command: Command, data: &Path) -> Self {
        let old = std::fs::metadata(data.join("sandbox.json")).and_then(|file| file.modified());
        let old = old.ok();
        let started = gateway::clock::stopwatch();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let child = command.spawn().unwrap();
        let mut gateway = Self {
            child,
            address: nowhere,
            key: String::new(),
            ready: READY_WITHIN,
        };
        loop {
            let spent = gateway::clock::stopwatch().saturating_sub(started);
            let new = std::fs::metadata(data.join("sandbox.json"))
                .and_then(|f| f.modified())
                .ok();
            if new != old
                && let Some((address, key)) = credentials(data)
                && let Ok(mut client) = Client::connect(address, &key)
                && client
                    .get("/health/ready")
                    .is_ok_and(|answer| answer.status == 200)
            {
                (gateway.address, gateway.key, gateway.ready) = (address, key, spent);
                return gateway;
            }
            assert!(spent < READY_WITHIN, "not ready after {spent:?}");
            std::thread::yield_now();
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address, &self.key).unwrap()
    }

    /// Sends a signal by its name and gives the exit code.
    pub fn signal(&mut self, name: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Address and HitPay key in a data folder's `sandbox.json`.
pub fn credentials(data: &Path) -> Option<(SocketAddr, String)> {
    let text = std::fs::read_to_string(data.join("sandbox.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    let address = json["base_url"]
        .as_str()?
        .strip_prefix("http://")?
        .parse()
        .ok()?;
    Some((address, json["hitpay"]["api_key"].as_str()?.to_owned()))
}
