//! Copies of the embedded database; PostgreSQL has its own tools for that.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use store::backup::{self, Copied};
use store::tables::records;
use store::{OpenError, Options, Store};

use crate::lab::{Lab, Place, at};

fn back_up(from: &Path, to: &Path) -> Result<Copied, OpenError> {
    backup::back_up(from, to, &mut |_, _| {})
}

fn restore(from: &Path, to: &Path) -> Result<Copied, OpenError> {
    backup::restore(from, to, &mut |_, _| {})
}

/// A lab on the embedded database with its file, and a folder for copies.
fn embedded() -> (Lab, PathBuf, tempfile::TempDir) {
    let lab = Lab::sqlite().unwrap();
    let Place::Sqlite(folder) = &lab.place else {
        panic!()
    };
    let path = folder.path().join("florin.db");
    (lab, path, tempfile::tempdir().unwrap())
}

fn put(lab: &Lab, round: u32) {
    lab.write(move |tx| {
        // Two rows that are only ever there together.
        for half in ["a", "b"] {
            let (id, body) = (format!("{half}{round:06}"), "x".repeat(2_000));
            records::put(tx, "kind", &id, &body, at(0, "").now)?;
        }
        Ok(())
    })
    .unwrap();
}

fn halves(lab: &Lab, path: &Path) -> [usize; 2] {
    let store = Store::open(path, Options::TEST).unwrap();
    let count = |half: &'static str| {
        let all = store.read("all", move |tx| {
            Ok(records::starting_with(tx, "kind", half, 1_000_000)?)
        });
        lab.wait(all).unwrap().len()
    };
    let found = ["a", "b"].map(count);
    store.close();
    found
}

#[test]
fn a_copy_taken_under_load_is_one_moment_of_it() {
    let (lab, path, folder) = embedded();
    for round in 0..2_000 {
        put(&lab, round);
    }
    let (stop, mut last) = (AtomicBool::new(false), 2_000);
    let copies: Vec<PathBuf> = (0..3)
        .map(|n| folder.path().join(format!("{n}.backup")))
        .collect();
    let mut steps = 0;
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            for copy in &copies {
                let mut seen = (0, 0);
                let mut watch = |done, total| {
                    assert!(done >= seen.0 && done <= total);
                    seen = (done, total);
                    steps += 1;
                };
                let made = backup::back_up(&path, copy, &mut watch).unwrap();
                assert_eq!((seen.0, seen.1), (made.bytes, made.bytes));
                assert!(made.current);
            }
            stop.store(true, Ordering::SeqCst);
        });
        while !stop.load(Ordering::SeqCst) && !copying.is_finished() {
            put(&lab, last);
            last += 1;
        }
    });
    assert!(last > 2_000, "nothing was written meanwhile");
    assert!(steps > 6, "{steps}");
    let mut before = 0;
    for (number, copy) in copies.iter().enumerate() {
        let mode = copy.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "it is for its owner alone");
        let place = folder.path().join(format!("{number}.db"));
        restore(copy, &place).unwrap();
        let [a, b] = halves(&lab, &place);
        assert_eq!(a, b, "half of a transaction");
        assert!(a >= 2_000 && a >= before, "{a} after {before}");
        before = a;
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".part") || name.ends_with("-wal"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn its_checksum_is_one_that_other_tools_check() {
    let (lab, path, folder) = embedded();
    put(&lab, 1);
    let copy = folder.path().join("shop.backup");
    let made = back_up(&path, &copy).unwrap();
    let text = std::fs::read_to_string(backup::checksum_of(&copy)).unwrap();
    assert!(
        text.ends_with(&format!("\n{}  shop.backup\n", made.digest)),
        "{text}"
    );
    let checked = std::process::Command::new("sha256sum")
        .args(["-c", "--strict", "shop.backup.sha256"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn nothing_is_ever_replaced() {
    let (lab, path, folder) = embedded();
    put(&lab, 1);
    let copy = folder.path().join("shop.backup");
    back_up(&path, &copy).unwrap();
    let text = back_up(&path, &copy).unwrap_err().to_string();
    assert!(
        text.contains("is there already: choose another name"),
        "{text}"
    );
    let error = restore(&copy, &path).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    let (closed, closed_path, _) = embedded();
    let place = closed.close();
    let error = restore(&copy, &closed_path).unwrap_err().to_string();
    assert!(error.contains("never put over a database"), "{error}");
    drop(place);
    // What a killed gateway left behind counts too.
    let place = folder.path().join("other.db");
    std::fs::write(folder.path().join("other.db-wal"), "x").unwrap();
    let error = restore(&copy, &place).unwrap_err().to_string();
    assert!(error.contains("other.db-wal"), "{error}");
    assert!(!place.exists());
}

#[test]
fn a_damaged_copy_is_not_put_back() {
    let (lab, path, folder) = embedded();
    for round in 0..50 {
        put(&lab, round);
    }
    let place = folder.path().join("new.db");
    let spoiled = |change: &dyn Fn(&Path), named: &str| {
        let copy = folder.path().join(format!("{}.backup", named.len()));
        back_up(&path, &copy).unwrap();
        change(&copy);
        let error = restore(&copy, &place).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!place.exists());
        let part = folder.path().join("new.db.part");
        assert!(!part.exists(), "half a file is left");
    };
    let flip = |copy: &Path| {
        let mut bytes = std::fs::read(copy).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(copy, bytes).unwrap();
    };
    let shorten = |copy: &Path| {
        let bytes = std::fs::read(copy).unwrap();
        std::fs::write(copy, &bytes[..bytes.len() - 4_096]).unwrap();
    };
    let unsigned = |copy: &Path| std::fs::remove_file(backup::checksum_of(copy)).unwrap();
    let garbled = |copy: &Path| std::fs::write(backup::checksum_of(copy), "x  y\n").unwrap();
    let gone = |copy: &Path| std::fs::remove_file(copy).unwrap();
    // The checksum fits, but it is no database of ours.
    let foreign = |copy: &Path| {
        std::fs::remove_file(copy).unwrap();
        let other = rusqlite::Connection::open(copy).unwrap();
        other.execute_batch("CREATE TABLE t (a TEXT)").unwrap();
        drop(other);
        sign(copy);
    };
    let newer = |copy: &Path| {
        let other = rusqlite::Connection::open(copy).unwrap();
        let later = "INSERT INTO schema_versions VALUES (999, 'later', 'x')";
        other.execute_batch(later).unwrap();
        drop(other);
        sign(copy);
    };
    spoiled(&flip, "is damaged: its SHA-256 is");
    spoiled(&shorten, "is damaged");
    spoiled(&unsigned, "cannot be read");
    spoiled(&garbled, "it has no SHA-256");
    spoiled(&gone, "there is no such file");
    spoiled(&foreign, "no such table: schema_versions");
    spoiled(&newer, "start the newer florin");
}

/// Writes the checksum that a file has now.
fn sign(copy: &Path) {
    let output = std::process::Command::new("sha256sum")
        .arg(copy)
        .output()
        .unwrap();
    std::fs::write(backup::checksum_of(copy), output.stdout).unwrap();
}

#[test]
fn what_cannot_be_copied_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("shop.backup");
    let error = back_up(&folder.path().join("none.db"), &copy).unwrap_err();
    assert!(error.to_string().contains("none.db"), "{error}");
    let (lab, path, _kept) = embedded();
    put(&lab, 1);
    let error = back_up(&path, Path::new("/nowhere/shop.backup")).unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/shop.backup"),
        "{error}"
    );
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}
