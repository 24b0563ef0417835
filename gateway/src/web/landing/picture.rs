//! The QR code of a payment as a picture: SVG, or PNG of a size in pixels.
//!
//! A code is dark on light in every theme, with the four light modules around it that readers
//! need. The PNG is one bit deep and not compressed: a few kilobytes that no decoder refuses.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use dialects::vipps::picture::{Format, wanted};
use fast_qr::{ECL, QRBuilder, QRCode};

use super::Visit;
use crate::app::App;
use crate::web::errors;

/// Light modules on each side.
const QUIET: usize = 4;

/// `GET /landing/qr?token=`.
pub async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visit = match Visit::begin(&app, &headers, query).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    let text = format!("{}{}", app.site.public_url, super::landing(&visit.view));
    let Ok(code) = QRBuilder::new(text).ecl(ECL::M).build() else {
        return errors::missing(&visit.shell);
    };
    let (kind, bytes) = match wanted(&visit.view.bill) {
        Format::Svg => ("image/svg+xml", svg(&code).into_bytes()),
        Format::Png(size) => ("image/png", png(&code, size)),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Is the module at this place dark? Places around the code are light.
fn is_dark(code: &QRCode, x: usize, y: usize) -> bool {
    let inside = |place: usize| place >= QUIET && place < code.size + QUIET;
    inside(x) && inside(y) && code[y - QUIET][x - QUIET].value()
}

/// The code as SVG: one path of unit squares.
fn svg(code: &QRCode) -> String {
    let side = code.size + 2 * QUIET;
    let mut path = String::new();
    for y in 0..side {
        for x in (0..side).filter(|x| is_dark(code, *x, y)) {
            path.push_str(&format!("M{x} {y}h1v1h-1z"));
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"512\" \
         height=\"512\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" \
         d=\"M0 0h{side}v{side}h-{side}z\"/><path d=\"{path}\"/></svg>\n"
    )
}

/// The code as PNG of so many pixels on each side.
fn png(code: &QRCode, size: u32) -> Vec<u8> {
    let side = code.size + 2 * QUIET;
    let pixels = size as usize;
    let mut rows = Vec::new();
    for y in 0..pixels {
        // No filter.
        rows.push(0);
        for start in (0..pixels).step_by(8) {
            let mut byte = 0_u8;
            for bit in 0..8 {
                let x = start + bit;
                let light = x >= pixels || !is_dark(code, x * side / pixels, y * side / pixels);
                byte = byte << 1 | u8::from(light);
            }
            rows.push(byte);
        }
    }
    let mut head = Vec::new();
    head.extend(size.to_be_bytes());
    head.extend(size.to_be_bytes());
    // One bit, grey, the usual compression and filters, not interlaced.
    head.extend([1, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &head);
    chunk(&mut png, b"IDAT", &stored(&rows));
    chunk(&mut png, b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).unwrap_or(0);
    png.extend(length.to_be_bytes());
    png.extend(name);
    png.extend(data);
    png.extend(crc(name.iter().chain(data)).to_be_bytes());
}

/// A zlib stream of stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = data.chunks(0xffff).collect();
    for (number, block) in blocks.iter().enumerate() {
        stream.push(u8::from(number + 1 == blocks.len()));
        let length = u16::try_from(block.len()).unwrap_or(0);
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(*block);
    }
    stream.extend(adler(data).to_be_bytes());
    stream
}

fn crc<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let rest = bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            let odd = sum & 1 == 1;
            (sum >> 1) ^ if odd { 0xedb8_8320 } else { 0 }
        })
    });
    !rest
}

fn adler(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_checksums() {
        assert_eq!(crc(b"123456789".iter()), 0xcbf4_3926);
        assert_eq!(adler(b"Wikipedia"), 0x11e6_0398);
    }

    /// The lines of a PNG of one bit as a reader sees them: is each pixel dark?
    fn pixels(png: &[u8]) -> Vec<Vec<bool>> {
        let (mut rest, mut stream, mut size) = (&png[8..], Vec::new(), 0);
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let (name, data) = (&rest[4..8], &rest[8..8 + length]);
            let sum = u32::from_be_bytes(rest[8 + length..12 + length].try_into().unwrap());
            assert_eq!(crc(rest[4..8 + length].iter()), sum);
            match name {
                b"IHDR" => size = u32::from_be_bytes(data[..4].try_into().unwrap()) as usize,
                b"IDAT" => stream.extend_from_slice(data),
                _ => assert_eq!(name, b"IEND"),
            }
            rest = &rest[12 + length..];
        }
        let (mut rest, mut rows) = (&stream[2..], Vec::new());
        loop {
            let length = usize::from(u16::from_le_bytes(rest[1..3].try_into().unwrap()));
            rows.extend_from_slice(&rest[5..5 + length]);
            let last = rest[0] == 1;
            rest = &rest[5 + length..];
            if last {
                break;
            }
        }
        assert_eq!(rest, adler(&rows).to_be_bytes());
        let lines = rows.chunks(1 + size.div_ceil(8));
        let lines = lines.map(|line| {
            assert_eq!(line[0], 0, "no filter");
            let dark = |x: usize| line[1 + x / 8] >> (7 - x % 8) & 1 == 0;
            (0..size).map(dark).collect::<Vec<bool>>()
        });
        lines.collect()
    }

    #[test]
    fn what_a_reader_sees_is_the_code() {
        let code = QRBuilder::new("https://pay.example.com/landing?token=x")
            .build()
            .unwrap();
        let side = code.size + 2 * QUIET;
        for size in [100, 512, 1024, 2000] {
            let seen = pixels(&png(&code, size));
            assert_eq!(seen.len(), size as usize);
            // The middle of each module.
            let middle = |module: usize| (2 * module + 1) * size as usize / (2 * side);
            for y in 0..side {
                for x in 0..side {
                    let pixel = seen[middle(y)][middle(x)];
                    assert_eq!(pixel, is_dark(&code, x, y), "{size}: {x} {y}");
                }
            }
        }
    }

    #[test]
    fn a_picture_has_its_size_and_its_quiet_border() {
        let code = QRBuilder::new("https://pay.example.com/landing?token=x")
            .build()
            .unwrap();
        let picture = png(&code, 300);
        assert_eq!(picture[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(picture[16..24], [0, 0, 1, 44, 0, 0, 1, 44]);
        assert!(
            picture.ends_with(&[0xae, 0x42, 0x60, 0x82]),
            "the end has its published sum"
        );
        let first = svg(&code);
        assert!(first.starts_with("<svg") && first.contains("M4 4h1v1h-1z"));
        assert!(!first.contains("M0 0h1v1h-1z"));
    }
}
