//! Countries of ISO 3166-1.

/// Kosovo has no code of ISO 3166-1; those who serve people there have agreed on this one, which
/// the standard leaves to its users.
const BY_AGREEMENT: &str = "XK";

/// Is this the code of a country: two letters in upper case?
pub fn is_known(code: &str) -> bool {
    // The empty text is a "country" of the table.
    code.len() == 2 && (code == BY_AGREEMENT || code.parse::<iso_currency::Country>().is_ok())
}
