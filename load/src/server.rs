//! The measured program as a process: started as anyone would start it, watched until it is
//! ready, stopped with the signal that a service manager sends.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::clock;
use crate::failure::{Outcome, said};
use crate::wire::whole_answer;

/// How long a start may take before it counts as failed.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a stop may take.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How often a starting server is asked whether it is ready.
const POLL: Duration = Duration::from_millis(1);

/// What `florin sandbox` writes for its clients.
#[derive(Debug, Deserialize)]
struct Sandbox {
    base_url: String,
    hitpay: Hitpay,
}

#[derive(Debug, Deserialize)]
struct Hitpay {
    api_key: String,
}

/// How to start Florin.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub binary: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
    /// Where it listens; port 0 for a free one.
    pub listen: SocketAddr,
    /// A PostgreSQL database instead of the embedded one.
    pub database: Option<String>,
    /// Further options of `florin sandbox`.
    pub more: Vec<String>,
}

impl Launch {
    /// Where the server's output goes.
    pub fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// The key of the demo merchant.
    pub key: String,
    /// From the start of the process to its first "ready".
    pub started_in: Duration,
}

impl Server {
    /// Starts Florin and waits until it is ready.
    pub async fn florin(launch: &Launch) -> Outcome<Server> {
        let log = launch.log();
        let mut command = Command::new(&launch.binary);
        command
            .arg("sandbox")
            .arg("--listen")
            .arg(launch.listen.to_string());
        command.arg("--data").arg(&launch.data);
        if let Some(database) = &launch.database {
            command.arg("--database").arg(database);
        }
        command.args(&launch.more);
        let file = File::options().create(true).append(true).open(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let began = clock::now();
        let mut child = command.kill_on_drop(true).spawn().map_err(|error| {
            said(format!(
                "{} cannot be started: {error}",
                launch.binary.display()
            ))
        })?;
        let pid = child.id().ok_or_else(|| said("the server ended at once"))?;
        loop {
            if let Some((address, key)) = ready(launch).await {
                let started_in = began.elapsed();
                return Ok(Server {
                    child,
                    pid,
                    address,
                    key,
                    started_in,
                });
            }
            if let Some(status) = child.try_wait()? {
                return Err(said(format!("the server ended: {status}")));
            }
            if began.elapsed() > START_MAX {
                return Err(said("the server was not ready after 30 s"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts this program again as the echo floor.
    pub async fn echo() -> Outcome<Server> {
        let began = clock::now();
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("echo")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child
            .id()
            .ok_or_else(|| said("the echo server ended at once"))?;
        let out = child
            .stdout
            .take()
            .ok_or_else(|| said("the echo server has no output"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).await?;
        let address = line
            .trim()
            .parse()
            .map_err(|_| said("the echo server did not start"))?;
        Ok(Server {
            child,
            pid,
            address,
            key: String::new(),
            started_in: began.elapsed(),
        })
    }

    /// Ends the server as a power cut would: it hears nothing of it.
    pub async fn kill(mut self) -> Outcome<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks the server to stop and says how long that took. Anything but a clean exit is a failure.
    pub async fn stop(mut self) -> Outcome<Duration> {
        let began = clock::now();
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| said("the server has no process id"))?;
        kill_process(pid, Signal::TERM).map_err(std::io::Error::from)?;
        match tokio::time::timeout(STOP_MAX, self.child.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(|status| status.success()) => {
                Ok(began.elapsed())
            }
            Ok(status) => Err(said(format!(
                "the server did not stop cleanly: {}",
                status?
            ))),
            Err(_) => Err(said("the server did not stop within 10 s of SIGTERM")),
        }
    }
}

/// Address and key, once the server says that it is ready.
///
/// With a free port the address is in `sandbox.json`. On a second start that file is still there
/// from the first one, so that start is given a port, and the port is what is asked.
async fn ready(launch: &Launch) -> Option<(SocketAddr, String)> {
    let text = std::fs::read(launch.data.join("sandbox.json")).ok()?;
    let sandbox: Sandbox = serde_json::from_slice(&text).ok()?;
    let address = match launch.listen.port() {
        0 => sandbox
            .base_url
            .strip_prefix("http://")?
            .trim_end_matches('/')
            .parse()
            .ok()?,
        _ => launch.listen,
    };
    whole_answer(address, "/health/ready", "identity")
        .await
        .ok()?;
    Some((address, sandbox.hitpay.api_key))
}

/// The end of a server's log, for an error message.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines
        .into_iter()
        .rev()
        .fold(String::new(), |text, line| text + "\n    " + line)
}
