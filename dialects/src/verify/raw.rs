//! Reads a request as logs and tools show it: a request line, headers, an empty line, the body.

use super::Delivery;

impl Delivery {
    /// From raw bytes. The request line may be missing (then headers come first), and so may
    /// everything but the body. Lines may end with a line feed alone and begin with the `> ` that
    /// `curl --verbose` puts before what it sends. Refuses an answer.
    pub fn read(raw: &[u8]) -> Result<Self, String> {
        let mut delivery = Self::default();
        let raw = after_notes(raw);
        let first = line(raw).0;
        if first.starts_with(b"HTTP/") {
            return Err("this is an HTTP answer; the request is what is signed".to_owned());
        }
        let mut rest = raw;
        if let Some((method, target)) = request_line(plain(first)) {
            (delivery.method, delivery.target) = (method, target);
            rest = line(raw).1;
        } else if header(plain(first)).is_none() {
            delivery.body = raw.to_vec();
            return Ok(delivery);
        }
        loop {
            if rest.is_empty() {
                break;
            }
            let (found, after) = line(rest);
            rest = after;
            if plain(found).is_empty() {
                break;
            }
            let Some(found) = header(plain(found)) else {
                let text = String::from_utf8_lossy(found);
                return Err(format!(
                    "the line `{}` is no header; an empty line must stand before the body",
                    text.chars().take(60).collect::<String>()
                ));
            };
            delivery.headers.push(found);
        }
        delivery.body = rest.to_vec();
        delivery.measure();
        Ok(delivery)
    }

    /// The body is as long as `Content-Length` says: a file often has a line end more.
    fn measure(&mut self) {
        let Some(length) = self.header("content-length").and_then(|l| l.parse().ok()) else {
            return;
        };
        let have = self.body.len();
        let more = self.body.get(length..).unwrap_or_default();
        if have < length {
            self.remarks.push(format!(
                "The body has {have} bytes, but Content-Length says {length}: it was cut short or \
                 changed."
            ));
        } else if have > length && more.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            self.remarks.push(format!(
                "Line ends after the {length} bytes of Content-Length were left out."
            ));
            self.body.truncate(length);
        } else if have > length {
            self.remarks.push(format!(
                "The body has {have} bytes, but Content-Length says {length}: it was changed."
            ));
        }
    }
}

/// Without the lines at the beginning in which `curl --verbose` tells how it connects, if what it
/// sends follows them.
fn after_notes(raw: &[u8]) -> &[u8] {
    let mut rest = raw;
    while rest.starts_with(b"* ") {
        rest = line(rest).1;
    }
    if rest.starts_with(b"> ") { rest } else { raw }
}

/// The first line without its end, and what follows.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end {
        Some(end) => bytes.split_at(end),
        None => (bytes, &[][..]),
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (line, rest.get(1..).unwrap_or_default())
}

/// A line without the mark of `curl --verbose`.
fn plain(line: &[u8]) -> &[u8] {
    match line.strip_prefix(b">") {
        Some(rest) => rest.strip_prefix(b" ").unwrap_or(rest),
        None => line,
    }
}

/// `POST /hook HTTP/1.1`, with any method; the version may be missing after a path.
fn request_line(line: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let (method, target) = (words.next()?, words.next()?);
    let version = words.next();
    let capitals = method.bytes().all(|b| b.is_ascii_uppercase());
    let place = target.starts_with('/') || target.contains("://");
    let known = version.is_none_or(|version| version.starts_with("HTTP/"));
    (capitals && place && known && words.next().is_none())
        .then(|| (method.to_owned(), target.to_owned()))
}

/// `Name: value`.
pub(super) fn header(line: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let (name, value) = text.split_once(':')?;
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (!name.is_empty() && name.bytes().all(token))
        .then(|| (name.to_owned(), value.trim().to_owned()))
}

impl Delivery {
    /// Adds a header given as `Name: value`; false if it is none.
    pub fn add(&mut self, line: &str) -> bool {
        let found = header(line.as_bytes());
        let is = found.is_some();
        self.headers.extend(found);
        is
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Delivery {
        Delivery::read(text.as_bytes()).unwrap_or_default()
    }

    #[test]
    fn a_request_with_either_line_end() {
        for end in ["\r\n", "\n"] {
            let text = [
                "POST /hook?a=b HTTP/1.1",
                "Host: shop.example",
                "x-A:  1 ",
                "",
                "{}",
            ];
            let delivery = read(&text.join(end));
            assert_eq!(delivery.method, "POST");
            assert_eq!(delivery.target, "/hook?a=b");
            assert_eq!(delivery.header("HOST"), Some("shop.example"));
            assert_eq!(delivery.header("X-a"), Some("1"));
            assert_eq!(delivery.body, b"{}");
            assert_eq!(delivery.remarks.len(), 0);
        }
    }

    #[test]
    fn the_body_keeps_every_byte() {
        let delivery = read("POST / HTTP/1.1\nA: b\n\n\n {\r\n}\n\n");
        assert_eq!(delivery.body, b"\n {\r\n}\n\n");
        let raw = [b"POST / HTTP/1.1\nA: b\n\n".as_slice(), &[0, 255, 10]].concat();
        assert_eq!(Delivery::read(&raw).map(|d| d.body), Ok(vec![0, 255, 10]));
    }

    #[test]
    fn what_curl_prints() {
        let delivery = read("> POST /hook HTTP/1.1\n> Host: a\n> X-B: c\n>\n{}");
        assert_eq!(
            (delivery.target.as_str(), delivery.body.as_slice()),
            ("/hook", &b"{}"[..])
        );
        assert_eq!(delivery.header("x-b"), Some("c"));
        let noted = read("* Connected to a\n* using HTTP/1.x\n> POST /hook HTTP/1.1\n>\n{}");
        assert_eq!(
            (noted.target.as_str(), noted.body.as_slice()),
            ("/hook", &b"{}"[..])
        );
        assert_eq!(
            read("* a body that begins so\n").body,
            b"* a body that begins so\n"
        );
    }

    #[test]
    fn headers_alone_and_a_body_alone() {
        let delivery = read("Host: a\nX-B: c\n\nx=1");
        assert_eq!((delivery.method.as_str(), delivery.headers.len()), ("", 2));
        assert_eq!(delivery.body, b"x=1");
        for body in ["", "{\"a\": 1}", "a=1&b=2:3", "\n\n", "not a header"] {
            let delivery = read(body);
            assert_eq!(delivery.body, body.as_bytes());
            assert_eq!(delivery.headers, []);
        }
    }

    #[test]
    fn the_length_that_was_announced_counts() {
        let text = |body: &str| format!("POST / HTTP/1.1\nContent-Length: 2\n\n{body}");
        let delivery = read(&text("{}\r\n\n"));
        assert_eq!(
            (delivery.body.as_slice(), delivery.remarks.len()),
            (&b"{}"[..], 1)
        );
        for body in ["{", "{} ", "{}\n{}"] {
            let delivery = read(&text(body));
            assert_eq!(delivery.body, body.as_bytes());
            assert_eq!(delivery.remarks.len(), 1, "{body}");
        }
        assert_eq!(read(&text("{}")).remarks.len(), 0);
    }

    #[test]
    fn what_is_no_request_is_named() {
        let said = |text: &str| Delivery::read(text.as_bytes()).err().unwrap_or_default();
        assert!(said("HTTP/1.1 200 OK\n\n{}").contains("answer"));
        assert!(said("POST / HTTP/1.1\nHost: a\n{}").contains("`{}`"));
    }
}
