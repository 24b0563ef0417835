//! TLS towards the database: rustls, the server's certificate and name always checked, against a
//! file of root certificates or against those of Mozilla.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// What a connection with TLS is made with. The error names the file and what is wrong with it.
pub(super) fn config(roots: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?;
    let store = match roots {
        Some(file) => read(file)?,
        None => RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

fn read(file: &Path) -> Result<RootCertStore, String> {
    let shown = file.display();
    let failed = |error: rustls::pki_types::pem::Error| {
        let io = match &error {
            rustls::pki_types::pem::Error::Io(io) => io.to_string(),
            other => other.to_string(),
        };
        format!("cannot read the root certificates in {shown}: {io}")
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(failed)? {
        let certificate = certificate.map_err(failed)?;
        store
            .add(certificate)
            .map_err(|error| format!("{shown} has a certificate that cannot be used: {error}"))?;
    }
    if store.is_empty() {
        return Err(format!("{shown} has no certificate"));
    }
    Ok(store)
}
