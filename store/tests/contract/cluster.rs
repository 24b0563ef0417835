//! The PostgreSQL that the suite runs on: the one that `FLORIN_TEST_POSTGRES` names, else a
//! private one, started once for all cases and gone with the process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// A database of its own for one case: a schema, removed at the end.
pub struct Schema {
    /// The URL that works in the schema.
    pub url: String,
    name: String,
    server: String,
}

/// A private server; it ends when this is dropped, and with the process at the latest.
pub struct Cluster {
    pub url: String,
    /// The folder of its sockets.
    pub folder: String,
    /// The server ends when our end of its standard input is gone.
    orders: Mutex<(Child, BufReader<ChildStdout>)>,
}

impl Cluster {
    pub fn start() -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster");
        let mut child = Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut folder = String::new();
        output.read_line(&mut folder).unwrap();
        match folder.trim() {
            "" => Err("its programs are not installed or do not start".to_owned()),
            folder => Ok(Self {
                url: format!("postgres://florin@/florin?host={folder}"),
                folder: folder.to_owned(),
                orders: Mutex::new((child, output)),
            }),
        }
    }

    /// The URL that names the server and its standby.
    pub fn both(&self) -> String {
        let folder = &self.folder;
        format!(
            "postgres://florin@/florin?host={folder}&host={folder}&port=5432,5433\
             &target_session_attrs=read-write"
        )
    }

    /// The URL of its standby.
    pub fn standby(&self) -> String {
        format!("{}&port=5433", self.url)
    }

    /// Gives an order and waits until it is carried out.
    pub fn order(&self, order: &str) {
        let mut orders = self.orders.lock().unwrap();
        writeln!(orders.0.stdin.as_mut().unwrap(), "{order}").unwrap();
        let mut line = String::new();
        orders.1.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), order);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut orders = self.orders.lock().unwrap();
        drop(orders.0.stdin.take());
        let _ = orders.0.wait();
    }
}

/// Where the server is, or why there is none.
fn server() -> Result<&'static str, &'static str> {
    static SERVER: OnceLock<Result<(String, Option<Cluster>), String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var("FLORIN_TEST_POSTGRES") {
        Ok(url) => Ok((url, None)),
        Err(_) => Cluster::start().map(|cluster| (cluster.url.clone(), Some(cluster))),
    });
    server
        .as_ref()
        .map(|(url, _)| url.as_str())
        .map_err(String::as_str)
}

/// The server's URL. Without a server the case is skipped, and that is a failure where
/// `REQUIRE_POSTGRES` asks for one.
pub fn url() -> Option<&'static str> {
    match server() {
        Ok(url) => Some(url),
        Err(why) => {
            missing(why);
            None
        }
    }
}

/// A server of one case alone, that can be stopped and killed. Where its programs are missing the
/// case is skipped like one without any server.
pub fn private() -> Option<Cluster> {
    match Cluster::start() {
        Ok(cluster) => Some(cluster),
        Err(why) => {
            missing(&why);
            None
        }
    }
}

/// Says that a case is skipped, which is a failure where `REQUIRE_POSTGRES` asks for a server.
fn missing(why: &str) {
    let required = std::env::var_os("REQUIRE_POSTGRES").is_some();
    assert!(!required, "no PostgreSQL: {why}");
    let _ = writeln!(std::io::stderr(), "skipped, no PostgreSQL: {why}");
}

impl Schema {
    /// A fresh one.
    pub fn new() -> Option<Self> {
        url().map(Self::at)
    }

    /// A fresh one on a server.
    pub fn at(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("lab_{}_{number}", std::process::id());
        run(server, &format!("CREATE SCHEMA {name}")).unwrap();
        let sign = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{sign}options=-csearch_path%3D{name}");
        let server = server.to_owned();
        Self { url, name, server }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let _ = run(&self.server, &format!("DROP SCHEMA {} CASCADE", self.name));
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
