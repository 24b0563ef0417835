//! The address of a PostgreSQL: a URL, completed from the environment and a password file.
//!
//! `postgres://user@host1,host2:5433/db?sslmode=verify-full&target_session_attrs=read-write`
//!
//! `sslmode` is stricter than elsewhere: it is either `disable`, or the server's certificate and
//! name are checked (`require`, `verify-ca` and `verify-full` are the same; `allow` and `prefer`,
//! which may silently go without, are refused). Without it, a Unix socket and the loopback address
//! go without TLS and every other host with it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls;

/// How long a host may take to accept a connection, unless `connect_timeout` says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long sent bytes may stay without any sign of life from the other side.
const DEAD_AFTER: Duration = Duration::from_secs(15);

/// Where the server's socket is on Debian, if nobody says otherwise.
const SOCKETS: &str = "/var/run/postgresql";

/// What says which of several hosts is wanted.
const TARGET: &str = "target_session_attrs=";

/// Looks a variable up.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that a connection is made with.
#[derive(Clone)]
pub(super) struct Settings {
    pub config: Config,
    /// Absent: without TLS.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// User, hosts and database, for messages; never the password.
    pub place: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("place", &self.place)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// The parameters of the URL that the client library does not know.
#[derive(Debug, Default)]
struct Ours {
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    passfile: Option<String>,
}

/// Reads a URL. The error says what is wrong with it and never quotes a password.
pub(super) fn settings(url: &str, env: Environment<'_>) -> Result<Settings, String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("it does not begin with postgres://".to_owned());
    }
    let (url, ours) = split(url)?;
    let mut config = Config::from_str(&url).map_err(|error| super::errors::plain(&error))?;
    complete(&mut config, &url, env)?;
    let mode = ours.sslmode.or_else(|| env("PGSSLMODE"));
    let tls = if wants_tls(mode.as_deref(), &config)? {
        config.ssl_mode(SslMode::Require);
        let roots = ours.sslrootcert.or_else(|| env("PGSSLROOTCERT"));
        Some(Arc::new(tls::config(roots.as_deref().map(Path::new))?))
    } else {
        config.ssl_mode(SslMode::Disable);
        None
    };
    if config.get_password().is_none() {
        let file = ours
            .passfile
            .or_else(|| env("PGPASSFILE"))
            .map(PathBuf::from);
        let file = file.or_else(|| env("HOME").map(|home| Path::new(&home).join(".pgpass")));
        let found = file.map_or(Ok(None), |file| stored_password(&file, &config));
        if let Some(password) = env("PGPASSWORD").map_or(found, |given| Ok(Some(given)))? {
            config.password(password);
        }
    }
    let place = place(&config);
    Ok(Settings { config, tls, place })
}

/// Takes our parameters out of the URL.
fn split(url: &str) -> Result<(String, Ours), String> {
    let mut ours = Ours::default();
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), ours));
    };
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match key {
            "sslmode" => &mut ours.sslmode,
            "sslrootcert" => &mut ours.sslrootcert,
            "passfile" => &mut ours.passfile,
            // The client library takes one host at a time.
            "host" => {
                rest.extend(value.split(',').map(|host| format!("host={host}")));
                continue;
            }
            _ => {
                rest.push(pair.to_owned());
                continue;
            }
        };
        let wrong = || format!("the value of {key} is not percent-encoded text");
        *place = Some(decoded(value).ok_or_else(wrong)?);
    }
    let url = if rest.is_empty() {
        base.to_owned()
    } else {
        format!("{base}?{}", rest.join("&"))
    };
    Ok((url, ours))
}

/// Percent-decoded text.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// Fills in what the URL leaves open, as PostgreSQL's own programs do.
fn complete(config: &mut Config, given: &str, env: Environment<'_>) -> Result<(), String> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let hosts = env("PGHOST").unwrap_or_else(|| SOCKETS.to_owned());
        hosts.split(',').for_each(|host| {
            config.host(host);
        });
    }
    if config.get_ports().is_empty()
        && let Some(ports) = env("PGPORT")
    {
        for port in ports.split(',') {
            let wrong = |_| format!("PGPORT {ports:?} is no port");
            config.port(port.parse().map_err(wrong)?);
        }
    }
    if config.get_user().is_none() {
        let user = ["PGUSER", "USER", "LOGNAME"].into_iter().find_map(env);
        config.user(user.ok_or("it names no user (postgres://user@host/database)")?);
    }
    if config.get_dbname().is_none() {
        let user = config.get_user().unwrap_or_default().to_owned();
        config.dbname(env("PGDATABASE").unwrap_or(user));
    }
    if config.get_application_name().is_none() {
        config.application_name("florin");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(DEAD_AFTER);
    }
    config.keepalives_idle(DEAD_AFTER);
    config.keepalives_interval(Duration::from_secs(5));
    config.keepalives_retries(3);
    if !given.contains(TARGET) {
        let several = config.get_hosts().len().max(config.get_hostaddrs().len()) > 1;
        let target = match env("PGTARGETSESSIONATTRS").as_deref() {
            // Of several hosts one takes writes: find it, now and after a failover.
            None if several => TargetSessionAttrs::ReadWrite,
            None | Some("any") => TargetSessionAttrs::Any,
            Some("read-write") => TargetSessionAttrs::ReadWrite,
            Some("read-only") => TargetSessionAttrs::ReadOnly,
            Some(other) => return Err(format!("PGTARGETSESSIONATTRS {other:?} is not known")),
        };
        config.target_session_attrs(target);
    }
    Ok(())
}

fn wants_tls(mode: Option<&str>, config: &Config) -> Result<bool, String> {
    match mode {
        Some("disable") => Ok(false),
        Some("require" | "verify-ca" | "verify-full") => Ok(true),
        Some(mode @ ("allow" | "prefer")) => Err(format!(
            "sslmode={mode} may go without TLS unnoticed: say disable or verify-full"
        )),
        Some(mode) => Err(format!("sslmode={mode} is not disable or verify-full")),
        None => {
            let named = config.get_hosts().iter().all(is_local);
            // Where it goes is what counts, whatever it is called.
            Ok(!named
                || !config
                    .get_hostaddrs()
                    .iter()
                    .all(std::net::IpAddr::is_loopback))
        }
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}

/// The hosts and ports in pairs, as a password file and a message name them.
fn hosts(config: &Config) -> Vec<(String, u16)> {
    let ports = config.get_ports();
    let port = |index: usize| *ports.get(index).or(ports.first()).unwrap_or(&5432);
    if config.get_hosts().is_empty() {
        let addresses = config.get_hostaddrs().iter().enumerate();
        return addresses
            .map(|(index, address)| (address.to_string(), port(index)))
            .collect();
    }
    let named = config.get_hosts().iter().enumerate();
    named
        .map(|(index, host)| match host {
            Host::Unix(path) => (path.display().to_string(), port(index)),
            Host::Tcp(name) => (name.clone(), port(index)),
        })
        .collect()
}

/// `florin on db.example.com:5432`: what a message names.
fn place(config: &Config) -> String {
    let hosts: Vec<String> = hosts(config)
        .into_iter()
        .map(|(host, port)| format!("{host}:{port}"))
        .collect();
    let database = config.get_dbname().unwrap_or_default();
    format!("PostgreSQL {database:?} on {}", hosts.join(" or "))
}

/// The first fitting password of a `.pgpass` file. A missing file has none.
fn stored_password(file: &Path, config: &Config) -> Result<Option<String>, String> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(about) = std::fs::metadata(file) else {
        return Ok(None);
    };
    let shown = file.display();
    if about.permissions().mode() & 0o077 != 0 {
        return Err(format!("{shown} can be read by others: chmod 600 {shown}"));
    }
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or_default();
    for (host, port) in hosts(config) {
        // The usual folder of sockets is called localhost, another one by its name.
        let host = if host == SOCKETS { "localhost" } else { &host };
        let port = port.to_string();
        let found = text
            .lines()
            .find_map(|line| fitting(line, &[host, &port, database, user]));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The password of a line `host:port:database:user:password`, if the line fits. `*` fits all; a
/// backslash takes the meaning from a colon and from itself.
fn fitting(line: &str, wanted: &[&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields.last_mut()?.extend(characters.next()),
            other => fields.last_mut()?.push(other),
        }
    }
    let password = fields.get(4)?.clone();
    let fits = fields
        .iter()
        .zip(wanted)
        .all(|(field, value)| field == "*" || field == value);
    fits.then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn read(url: &str) -> Result<Settings, String> {
        settings(url, &nothing)
    }

    #[test]
    fn a_url_says_where_and_who() {
        let found = read("postgres://florin:secret@db1,db2:5433/pay?connect_timeout=3").unwrap();
        assert_eq!(found.place, "PostgreSQL \"pay\" on db1:5432 or db2:5433");
        assert_eq!(found.config.get_user(), Some("florin"));
        assert_eq!(found.config.get_password(), Some(b"secret".as_slice()));
        assert_eq!(
            found.config.get_connect_timeout(),
            Some(&Duration::from_secs(3))
        );
        assert_eq!(
            found.config.get_target_session_attrs(),
            TargetSessionAttrs::ReadWrite
        );
        assert!(!format!("{found:?}").contains("secret"));
    }

    #[test]
    fn only_local_connections_go_without_tls_by_themselves() {
        for (url, tls) in [
            ("postgres://u@db.example.com/d", true),
            ("postgres://u@db.example.com/d?sslmode=disable", false),
            ("postgres://u@127.0.0.1/d", false),
            ("postgres://u@localhost/d", false),
            ("postgres://u@localhost/d?sslmode=require", true),
            ("postgres://u@localhost,db.example.com/d", true),
            ("postgresql://u@/d?host=/tmp", false),
            ("postgres://u@/d?host=/tmp,/run&port=1,2", false),
            ("postgres://u@/d?hostaddr=192.0.2.7", true),
            ("postgres://u@/d?hostaddr=127.0.0.1", false),
            ("postgres://u@localhost/d?hostaddr=192.0.2.7", true),
            ("postgres://u@/d?hostaddr=192.0.2.7&sslmode=disable", false),
        ] {
            assert_eq!(read(url).unwrap().tls.is_some(), tls, "{url}");
        }
    }

    #[test]
    fn what_the_url_leaves_open_comes_from_the_environment() {
        let env = |name: &str| {
            let values = [
                ("PGHOST", "/run/pg"),
                ("PGPORT", "5499"),
                ("PGUSER", "shop"),
                ("PGPASSWORD", "from env"),
            ];
            let found = values.into_iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_owned())
        };
        let found = settings("postgres://", &env).unwrap();
        assert_eq!(found.place, "PostgreSQL \"shop\" on /run/pg:5499");
        assert_eq!(found.config.get_password(), Some(b"from env".as_slice()));
    }

    #[test]
    fn several_hosts_may_come_from_the_environment() {
        use TargetSessionAttrs::{Any, ReadOnly, ReadWrite};
        let with = |url: &str, attrs: Option<&str>| {
            let env = |name: &str| match name {
                "PGHOST" => Some("db1,db2".to_owned()),
                "PGPORT" => Some("5432,5433".to_owned()),
                "PGTARGETSESSIONATTRS" => attrs.map(str::to_owned),
                _ => None,
            };
            settings(url, &env)
        };
        let found = with("postgres://u@/pay", None).unwrap();
        assert_eq!(found.place, "PostgreSQL \"pay\" on db1:5432 or db2:5433");
        let target = |url: &str, attrs: Option<&str>| {
            let found = with(url, attrs).unwrap();
            found.config.get_target_session_attrs()
        };
        assert_eq!(target("postgres://u@/pay", None), ReadWrite);
        assert_eq!(target("postgres://u@/pay", Some("any")), Any);
        assert_eq!(target("postgres://u@db1/pay", None), Any);
        let given = "postgres://u@a,b/pay?target_session_attrs=read-only";
        assert_eq!(target(given, Some("read-write")), ReadOnly);
        let wrong = with("postgres://u@/pay", Some("best")).unwrap_err();
        assert!(wrong.contains("best"), "{wrong}");
    }

    #[test]
    fn a_password_file_names_a_folder_of_sockets() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        let lines = "localhost:*:*:*:usual\n/run/shop:*:*:*:own\n";
        std::fs::write(&path, lines).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let password = |host: &str| {
            let file = path.display();
            let found = read(&format!("postgres://u@/d?host={host}&passfile={file}"));
            found.unwrap().config.get_password().map(<[u8]>::to_vec)
        };
        assert_eq!(password("/run/shop"), Some(b"own".to_vec()));
        assert_eq!(password("/var/run/postgresql"), Some(b"usual".to_vec()));
        assert_eq!(password("/run/other"), None);
    }

    #[test]
    fn a_malformed_url_is_one_line_without_the_password() {
        for (url, named) in [
            ("mysql://u@h/d", "postgres://"),
            ("postgres://u:hush@h:port/d", "port"),
            ("postgres://u:hush@h/d?sslmode=prefer", "prefer"),
            ("postgres://u:hush@h/d?sslmode=maybe", "maybe"),
            ("postgres://u:hush@h/d?colour=1", "colour"),
            ("postgres://u:hush@h/d?sslrootcert=%zz", "sslrootcert"),
            (
                "postgres://u:hush@h/d?sslrootcert=/no/such/file",
                "/no/such/file",
            ),
            ("postgres://localhost/d", "user"),
        ] {
            let error = read(url).unwrap_err();
            assert!(error.contains(named), "{url}: {error}");
            assert!(!error.contains("hush") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn the_first_fitting_line_of_a_password_file_is_taken() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        let lines = "# a comment\nother:*:*:*:no\ndb:5432:pay:florin:a\\:b\\\\c\n*:*:*:*:last\n";
        std::fs::write(&path, lines).unwrap();
        let url = format!(
            "postgres://florin@db/pay?sslmode=disable&passfile={}",
            path.display()
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&url).unwrap_err().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let password = |url: &str| read(url).unwrap().config.get_password().map(<[u8]>::to_vec);
        assert_eq!(password(&url), Some(b"a:b\\c".to_vec()));
        assert_eq!(
            password(&url.replace("florin@", "someone@")),
            Some(b"last".to_vec())
        );
        let missing = url.replace("pgpass", "none");
        assert_eq!(password(&missing), None);
    }
}
