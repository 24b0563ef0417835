//! The PostgreSQL that the suite runs on: the one that `FLORIN_TEST_POSTGRES` names, else a
//! private one, started once for all cases and gone with the process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A database of its own for one case: a schema, removed at the end.
pub struct Schema {
    /// The URL that works in the schema.
    pub url: String,
    name: String,
}

/// Where the server is, or why there is none.
fn server() -> Result<&'static str, &'static str> {
    static SERVER: OnceLock<Result<(String, Option<Child>), String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var("FLORIN_TEST_POSTGRES") {
        Ok(url) => Ok((url, None)),
        Err(_) => start().map(|(url, child)| (url, Some(child))),
    });
    server
        .as_ref()
        .map(|(url, _)| url.as_str())
        .map_err(String::as_str)
}

fn start() -> Result<(String, Child), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster");
    let mut child = Command::new(script)
        // The server ends when this end of the pipe is gone, with us or before.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        let _ = BufReader::new(output).read_line(&mut line);
    }
    match line.trim() {
        "" => Err("the programs of PostgreSQL are not installed or do not start".to_owned()),
        folder => Ok((format!("postgres://florin@/florin?host={folder}"), child)),
    }
}

/// The server's URL. Without a server the case is skipped, and that is a failure where
/// `REQUIRE_POSTGRES` asks for one.
pub fn url() -> Option<&'static str> {
    match server() {
        Ok(url) => Some(url),
        Err(why) => {
            let required = std::env::var_os("REQUIRE_POSTGRES").is_some();
            assert!(!required, "no PostgreSQL: {why}");
            eprintln!("skipped, no PostgreSQL: {why}");
            None
        }
    }
}

impl Schema {
    /// A fresh one.
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = url()?;
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("lab_{}_{number}", std::process::id());
        run(server, &format!("CREATE SCHEMA {name}")).unwrap();
        let sign = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{sign}options=-csearch_path%3D{name}");
        Some(Self { url, name })
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if let Some(server) = url() {
            let _ = run(server, &format!("DROP SCHEMA {} CASCADE", self.name));
        }
    }
}

/// Runs statements beside Florin; the first column of all rows, as text.
pub fn run(url: &str, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let answer = client.simple_query(sql).await?;
        let rows = answer.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(rows.collect())
    })
}
