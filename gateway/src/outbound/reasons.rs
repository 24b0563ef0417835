//! What went wrong on the way, as one line for the merchant: libraries wrap their errors in each
//! other, and the outermost one only says that there was one.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::connector::NoConnection;

/// The reason that says most, from anywhere in a chain of errors.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut link = Some(error);
    while let Some(inner) = link {
        if let Some(known) = known(inner) {
            return known;
        }
        text = inner.to_string();
        // An error wrapped in an io::Error is not among its sources.
        let wrapped = inner
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        link = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    text
}

fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(NoConnection(why)) = error.downcast_ref() {
        return Some(why.clone());
    }
    if let Some(error) = error.downcast_ref() {
        return Some(format!("TLS problem: {}", tls(error)));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return http(error).map(str::to_owned);
    }
    let error = error.downcast_ref::<io::Error>()?;
    match error.kind() {
        io::ErrorKind::UnexpectedEof if error.to_string().contains("handshake") => {
            Some("TLS problem: the other side closed the connection at once".to_owned())
        }
        io::ErrorKind::ConnectionReset => Some("the other side reset the connection".to_owned()),
        _ => None,
    }
}

fn http(error: &hyper::Error) -> Option<&'static str> {
    if error.is_parse_too_large() {
        Some("the head of the answer is too long")
    } else if error.is_parse() {
        Some("the answer is not HTTP")
    } else if error.is_incomplete_message() {
        Some("the connection was closed before an answer came")
    } else {
        None
    }
}

fn tls(error: &rustls::Error) -> String {
    let words = match error {
        rustls::Error::InvalidCertificate(problem) => return certificate(problem),
        rustls::Error::InvalidMessage(_) => "the other side does not speak TLS on this port",
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
        ) => "the other side offers nothing that is safe enough; TLS 1.2 is the least",
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the other side does not know this name"
        }
        other => return other.to_string(),
    };
    words.to_owned()
}

fn certificate(problem: &CertificateError) -> String {
    let words = match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::UnknownIssuer => "the certificate comes from an unknown issuer",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        CertificateError::Revoked => "the certificate has been revoked",
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the certificate signs itself, so its issuer is unknown"
        }
        other => return format!("the certificate is not accepted: {other}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_inside_is_found_through_all_wrappings() {
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, expired));
        assert_eq!(reason(&wrapped), "TLS problem: the certificate has expired");
        let refused = io::Error::other(NoConnection("connection refused by ::1".to_owned()));
        assert_eq!(reason(&refused), "connection refused by ::1");
        assert_eq!(
            reason(&io::Error::other("something else")),
            "something else"
        );
    }

    #[test]
    fn problems_of_tls_have_plain_words() {
        for (error, said) in [
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
                "another name",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidYet),
                "not valid yet",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
                "TLS 1.2",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::UnrecognisedName),
                "does not know this name",
            ),
        ] {
            assert!(tls(&error).contains(said), "{}", tls(&error));
        }
    }
}
