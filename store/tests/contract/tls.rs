//! The way to a server over TLS: whose certificate is believed, for which name.

use store::{Options, Store};

use crate::cluster;
use crate::lab;

/// Is the connection that a store writes with encrypted?
fn encrypted(store: &Store) -> bool {
    let asked = store.write("ssl", |tx| {
        let row = tx.one(
            "SELECT CAST(ssl AS TEXT) FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
        )?;
        Ok(row.unwrap().text(0)?.to_owned())
    });
    lab::block_on(asked).unwrap() == "true"
}

#[test]
fn a_server_is_believed_by_its_authority_and_its_name() {
    let Some(cluster) = cluster::private() else {
        return;
    };
    cluster.order("tls");
    let folder = &cluster.folder;
    let address = std::fs::read_to_string(format!("{folder}/address")).unwrap();
    let (address, port) = address.trim().split_once(' ').unwrap();
    let open = |host: &str, more: &str| {
        let url = format!("postgres://florin@{host}:{port}/florin?hostaddr={address}{more}");
        Store::open_url(&url, Options::TEST).map_err(|error| error.to_string())
    };
    let ours = format!("&sslrootcert={folder}/ca.crt");
    let good = open("db.florin.test", &ours).unwrap();
    assert!(
        encrypted(&good),
        "by itself, because the host is not this one"
    );
    good.close();
    let asked = open("db.florin.test", &format!("{ours}&sslmode=verify-full")).unwrap();
    assert!(encrypted(&asked));
    asked.close();
    let other = format!("&sslrootcert={folder}/other.crt");
    for (host, more, said) in [
        // An authority that nobody here knows, and one that is not the server's.
        ("db.florin.test", "", "UnknownIssuer"),
        ("db.florin.test", other.as_str(), "certificate"),
        ("db.elsewhere.test", ours.as_str(), "not valid for name"),
    ] {
        let error = open(host, more).unwrap_err();
        assert!(error.contains(said), "{host} {more}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    // Only who says so goes without.
    let plain = open("db.florin.test", "&sslmode=disable").unwrap();
    assert!(!encrypted(&plain));
    plain.close();
}
