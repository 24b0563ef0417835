//! A private PostgreSQL in processes of its own; see `store/tests/cluster`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

pub struct Cluster {
    /// The folder of its Unix sockets.
    pub folder: String,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Cluster {
    /// Starts one. Without its programs the case is skipped, and that is a failure where
    /// `REQUIRE_POSTGRES` asks for it.
    pub fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/cluster");
        let mut child = Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut cluster = Self {
            folder: String::new(),
            child,
            output,
        };
        cluster.output.read_line(&mut cluster.folder).unwrap();
        if cluster.folder.is_empty() {
            let required = std::env::var_os("REQUIRE_POSTGRES").is_some();
            assert!(!required, "no PostgreSQL");
            let _ = writeln!(std::io::stderr(), "skipped, no PostgreSQL");
            return None;
        }
        cluster.folder.truncate(cluster.folder.trim_end().len());
        Some(cluster)
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://florin@/florin?host={}", self.folder)
    }

    /// The URL that names the server and its standby.
    pub fn both(&self) -> String {
        let folder = &self.folder;
        format!(
            "postgres://florin@/florin?host={folder},{folder}&port=5432,5433\
             &target_session_attrs=read-write"
        )
    }

    /// The URL of its standby.
    pub fn standby(&self) -> String {
        format!("{}&port=5433", self.url())
    }

    /// Gives an order and waits until it is carried out.
    pub fn order(&mut self, order: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{order}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), order);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
