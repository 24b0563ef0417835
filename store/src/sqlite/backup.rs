//! Copies of the embedded database: taken while a gateway works on it, and put back.
//!
//! * A copy is the database as of one moment. It reads one snapshot, and the writer goes on.
//! * It is one file that any SQLite can read, for its owner alone. Beside it stands its SHA-256, in
//!   the form that `sha256sum -c` checks.
//! * Nothing is ever replaced: neither an older copy nor a database.
//! * A file gets its name when it is whole and on disk, so that one with the name is whole.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use domain::secret::hex;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use super::{OpenError, applied, connect, lock, plain, refuse_unfinished};
use crate::migrate;

/// Pages copied between two reports of progress: 4 MB.
const PAGES: std::ffi::c_int = 1_024;

/// Bytes read at a time.
const CHUNK: usize = 1024 * 1024;

/// What the name of a file that is not whole yet ends with.
const PART: &str = ".part";

/// Told how many bytes are done, of how many.
pub type Watch<'a> = &'a mut dyn FnMut(u64, u64);

/// A copy that was taken or put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, as hexadecimal digits.
    pub digest: String,
    /// The version of its schema.
    pub schema: i64,
    /// Is that the version of this Florin? An older one is brought up to date at the next start.
    pub current: bool,
}

/// The file with the SHA-256 of a copy.
pub fn checksum_of(copy: &Path) -> PathBuf {
    with_ending(copy, ".sha256")
}

/// Copies a database, also while a gateway works on it. Refuses a name that is taken, and a
/// database that is not one of ours, is newer, or is damaged.
pub fn back_up(database: &Path, to: &Path, watch: Watch<'_>) -> Result<Copied, OpenError> {
    for name in [to.to_owned(), checksum_of(to)] {
        free(&name, "is there already: choose another name")?;
    }
    let failed = |error: rusqlite::Error| OpenError::File(database.to_owned(), plain(&error));
    let source = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let (schema, current) = known(database, &source)?;
    let part = with_ending(to, PART);
    let made = private(&part)?;
    let copying = |error: rusqlite::Error| match error.sqlite_error_code() {
        // Only what is written needs room.
        Some(rusqlite::ErrorCode::DiskFull) => OpenError::Unwritten(to.to_owned(), plain(&error)),
        _ => failed(error),
    };
    let copied = pages(&source, &part, watch)
        .map_err(copying)
        .and_then(|()| sound(&part))
        .and_then(|()| finished(&made, &part));
    let (bytes, digest) = kept(copied, &part)?;
    let checksum = kept(write_checksum(to, &digest, schema), &part)?;
    name(&part, to)?;
    name(&checksum, &checksum_of(to))?;
    Ok(Copied {
        bytes,
        digest,
        schema,
        current,
    })
}

/// Puts a copy where a database belongs. Refuses a copy without its checksum, one that is not what
/// was written down, damaged or newer, and a place where there is a database or a gateway.
pub fn restore(copy: &Path, database: &Path, watch: Watch<'_>) -> Result<Copied, OpenError> {
    let wanted = read_checksum(copy)?;
    // Held until the end, so that no gateway starts on half a file.
    let lock = lock(database)?;
    let why = "is there already: a backup is never put over a database; move it away first";
    for ending in ["", "-wal", "-shm"] {
        free(&with_ending(database, ending), why)?;
    }
    let part = with_ending(database, PART);
    // A part that is left over from a process that died; nobody else has the lock.
    let _ = fs::remove_file(&part);
    let mut made = private(&part)?;
    let copied = bytes(copy, (&mut made, database), watch)
        .and_then(|digest| match digest == wanted {
            true => Ok(()),
            false => Err(wrong(
                copy,
                &format!(
                    "is damaged: its SHA-256 is {digest}, and {wanted} was written down when it \
                     was made"
                ),
            )),
        })
        .and_then(|()| sound(&part))
        .and_then(|()| {
            let opened = Connection::open_with_flags(&part, OpenFlags::SQLITE_OPEN_READ_ONLY);
            known(copy, &opened.map_err(|error| wrong(copy, &plain(&error)))?)
        })
        .and_then(|known| Ok((known, finished(&made, &part)?)));
    let ((schema, current), (bytes, digest)) = kept(copied, &part)?;
    name(&part, database)?;
    drop(lock);
    Ok(Copied {
        bytes,
        digest,
        schema,
        current,
    })
}

/// Copies all pages of one snapshot.
fn pages(source: &Connection, part: &Path, watch: Watch<'_>) -> rusqlite::Result<()> {
    // Without a transaction of its own the copy would begin again at every write of the gateway.
    source.execute_batch("BEGIN; SELECT COUNT(*) FROM schema_versions")?;
    let size: i64 = source.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let size = u64::try_from(size).unwrap_or(0);
    let mut target = Connection::open(part)?;
    target.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(source, &mut target)?;
    loop {
        let step = backup.step(PAGES)?;
        let progress = backup.progress();
        let of = |pages: std::ffi::c_int| u64::try_from(pages).unwrap_or(0) * size;
        let total = of(progress.pagecount);
        watch(total - of(progress.remaining).min(total), total);
        if step == StepResult::Done {
            break;
        }
    }
    drop(backup);
    // The copy has no log beside it; a gateway that opens it makes one again.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)
}

/// Copies bytes into the file that becomes `target`; their SHA-256.
fn bytes(
    copy: &Path,
    (to, target): (&mut File, &Path),
    watch: Watch<'_>,
) -> Result<String, OpenError> {
    let unwritten =
        |error: std::io::Error| OpenError::Unwritten(target.to_owned(), error.to_string());
    let failed = |error: std::io::Error| wrong(copy, &error.to_string());
    let mut from = File::open(copy).map_err(failed)?;
    let total = from.metadata().map_err(failed)?.len();
    let (mut digest, mut done, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let read = from.read(&mut chunk).map_err(failed)?;
        let Some(read) = chunk.get(..read).filter(|read| !read.is_empty()) else {
            return Ok(hex(&digest.finalize()));
        };
        digest.update(read);
        to.write_all(read).map_err(unwritten)?;
        done += u64::try_from(read.len()).unwrap_or(0);
        watch(done, total);
    }
}

/// Fails unless SQLite finds every page of a file in order.
fn sound(path: &Path) -> Result<(), OpenError> {
    let check = || -> rusqlite::Result<String> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    match check() {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(answer) => Err(wrong(path, &format!("is damaged: {answer}"))),
        Err(error) => Err(wrong(path, &plain(&error))),
    }
}

/// The schema of a database of ours, and whether it is the one of this Florin.
fn known(path: &Path, connection: &Connection) -> Result<(i64, bool), OpenError> {
    let applied = applied(connection).map_err(|error| wrong(path, &plain(&error)))?;
    refuse_unfinished(path, connection)?;
    let missing = migrate::missing(&applied)
        .map_err(|error| OpenError::Schema(path.to_owned(), error))?
        .len();
    let version = applied.last().map_or(0, |(version, _)| *version);
    Ok((version, missing == 0))
}

/// Waits until the disk has a file; its size and SHA-256.
fn finished(file: &File, path: &Path) -> Result<(u64, String), OpenError> {
    let failed = |error: std::io::Error| wrong(path, &error.to_string());
    file.sync_all().map_err(failed)?;
    let (mut from, mut digest) = (File::open(path).map_err(failed)?, Sha256::new());
    let (mut size, mut chunk) = (0, vec![0; CHUNK]);
    loop {
        let read = from.read(&mut chunk).map_err(failed)?;
        let Some(read) = chunk.get(..read).filter(|read| !read.is_empty()) else {
            return Ok((size, hex(&digest.finalize())));
        };
        digest.update(read);
        size += u64::try_from(read.len()).unwrap_or(0);
    }
}

/// Writes the SHA-256 of a copy to a file that has not got its name yet.
fn write_checksum(to: &Path, digest: &str, schema: i64) -> Result<PathBuf, OpenError> {
    let part = with_ending(&checksum_of(to), PART);
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let mut file = private(&part)?;
    let text =
        format!("# A backup of Florin, schema version {schema}. Put back with florin restore.\n");
    file.write_all(format!("{text}{digest}  {name}\n").as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| wrong(&part, &error.to_string()))?;
    Ok(part)
}

/// The SHA-256 that was written down for a copy.
fn read_checksum(copy: &Path) -> Result<String, OpenError> {
    if !copy.is_file() {
        return Err(wrong(copy, "there is no such file"));
    }
    let path = checksum_of(copy);
    let text = fs::read_to_string(&path).map_err(|error| {
        let path = path.display();
        wrong(
            copy,
            &format!("its checksum {path} cannot be read: {error}"),
        )
    })?;
    let line = text.lines().find(|line| !line.starts_with('#'));
    let digest = line
        .and_then(|line| line.split_once(' '))
        .map(|(hex, _)| hex);
    digest
        .filter(|digest| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_ascii_lowercase)
        .ok_or_else(|| wrong(&path, "it has no SHA-256"))
}

/// Makes a file that only its owner may read; a part that somebody left is made anew.
fn private(path: &Path) -> Result<File, OpenError> {
    let options = || {
        let mut options = File::options();
        options.create(true).truncate(true).write(true).mode(0o600);
        options
    };
    options()
        .open(path)
        .map_err(|error| wrong(path, &error.to_string()))
}

/// Gives a whole file its name, unless somebody took it meanwhile.
fn name(part: &Path, to: &Path) -> Result<(), OpenError> {
    let failed = |error: std::io::Error| wrong(to, &error.to_string());
    fs::hard_link(part, to).map_err(failed)?;
    fs::remove_file(part).map_err(failed)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

/// Removes a part that will not become a whole.
fn kept<T>(result: Result<T, OpenError>, part: &Path) -> Result<T, OpenError> {
    if result.is_err() {
        // What failed first is what the operator must know.
        let _ = fs::remove_file(part);
    }
    result
}

fn free(path: &Path, why: &str) -> Result<(), OpenError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(wrong(path, &error.to_string())),
        Ok(_) => Err(OpenError::Taken(path.to_owned(), why.to_owned())),
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn wrong(path: &Path, why: &str) -> OpenError {
    OpenError::File(path.to_owned(), why.to_owned())
}
