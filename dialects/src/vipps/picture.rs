//! Which picture of a QR code the merchant asked for.

use domain::Bill;
use serde_json::Value as Json;

/// The form of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Drawn, of any size.
    Svg,
    /// Pixels on each side.
    Png(u32),
}

/// Pixels on each side when the merchant does not say.
const USUAL_SIZE: u32 = 1_024;

/// What `qrFormat` says.
pub fn wanted(bill: &Bill) -> Format {
    let extras = &bill.ask.extras;
    let size = extras.get("qrSize").and_then(Json::as_u64);
    let size = size.and_then(|size| u32::try_from(size).ok());
    match extras.get("qrFormat").and_then(Json::as_str) {
        Some("IMAGE/PNG") => Format::Png(size.unwrap_or(USUAL_SIZE).clamp(100, 2_000)),
        _ => Format::Svg,
    }
}
