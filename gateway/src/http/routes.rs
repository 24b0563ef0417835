//! The table of routes: which operation of which dialect answers at which paths.
//!
//! The operations and their own paths come from the dialects' OpenAPI documents. Configuration may
//! name other paths for an operation (`[routes]`); a request to one of those is handed to the
//! dialect under the operation's own path, so a dialect never knows of it. Two operations that
//! claim the same method and path stop the server at its start.

use std::collections::{BTreeMap, BTreeSet};

use dialects::Dialect;
use http::uri::PathAndQuery;
use http::{Method, Uri};
use serde_json::Value;

/// Beginnings of paths that belong to the gateway's own pages and calls.
const OWN: [&str; 8] = [
    "assets",
    "docs",
    "health",
    "landing",
    "metrics",
    "portal",
    "sandbox",
    "simulator",
];

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// This text.
    Text(String),
    /// Anything, under a name.
    Any(String),
}

/// A path with places to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Segment>);

impl Pattern {
    /// Reads `/transactions/{id}`.
    fn read(path: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("{path:?} {why}"));
        let Some(rest) = path.strip_prefix('/') else {
            return wrong("does not begin with a slash");
        };
        if rest.is_empty() || rest.ends_with('/') || rest.contains("//") {
            return wrong("must name something between its slashes and end without one");
        }
        let mut segments = Vec::new();
        for part in rest.split('/') {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@".contains(&b);
            segments.push(
                match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                    Some(name) if !name.is_empty() => Segment::Any(name.to_owned()),
                    None if part.bytes().all(plain) => Segment::Text(part.to_owned()),
                    _ => return wrong("has a character that a path does not need"),
                },
            );
        }
        Ok(Self(segments))
    }

    /// The values of its places, if a path fits.
    fn fits<'a>(&self, path: &'a str) -> Option<BTreeMap<&str, &'a str>> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut values = BTreeMap::new();
        let mut parts = path.split('/');
        for segment in &self.0 {
            let part = parts.next()?;
            match segment {
                Segment::Text(text) if text == part => {}
                Segment::Any(name) if !part.is_empty() => {
                    values.insert(name.as_str(), part);
                }
                Segment::Text(_) | Segment::Any(_) => return None,
            }
        }
        parts.next().is_none().then_some(values)
    }

    /// The path with its places filled.
    fn fill(&self, values: &BTreeMap<&str, &str>) -> String {
        let mut path = String::new();
        for segment in &self.0 {
            path.push('/');
            path.push_str(match segment {
                Segment::Text(text) => text,
                Segment::Any(name) => values.get(name.as_str()).copied().unwrap_or_default(),
            });
        }
        path
    }

    fn places(&self) -> BTreeSet<&str> {
        self.0
            .iter()
            .filter_map(|segment| match segment {
                Segment::Any(name) => Some(name.as_str()),
                Segment::Text(_) => None,
            })
            .collect()
    }

    /// Is there a path that fits both?
    fn meets(&self, other: &Self) -> bool {
        let same = |pair: (&Segment, &Segment)| match pair {
            (Segment::Text(one), Segment::Text(two)) => one == two,
            (Segment::Any(_), _) | (_, Segment::Any(_)) => true,
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }

    /// The same for two paths that no request could tell apart.
    fn shape(&self) -> Vec<Option<&str>> {
        self.0
            .iter()
            .map(|segment| match segment {
                Segment::Text(text) => Some(text.as_str()),
                Segment::Any(_) => None,
            })
            .collect()
    }
}

/// An operation of a dialect.
#[derive(Clone, Debug)]
struct Operation {
    name: String,
    dialect: &'static str,
    method: Method,
    own: Pattern,
    paths: Vec<Pattern>,
}

/// Where a request goes.
#[derive(Clone)]
pub struct Routed {
    /// The dialect that answers.
    pub dialect: &'static dyn Dialect,
    /// The address as the dialect knows it.
    pub uri: Uri,
}

impl std::fmt::Debug for Routed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routed")
            .field("dialect", &self.dialect.profile().name)
            .field("uri", &self.uri)
            .finish()
    }
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// Operations whose paths were changed; of the others a dialect's own routing is enough.
    moved: Vec<Operation>,
}

impl Routes {
    /// From `[routes]`: operation → paths, the first of which is the one that documents show.
    pub fn new(wanted: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let mut all = operations()?;
        let pages = if wanted.is_empty() {
            Vec::new()
        } else {
            super::own_paths()
        };
        for (name, paths) in wanted {
            let Some(operation) = all.iter_mut().find(|operation| operation.name == *name) else {
                let known: Vec<&str> = all.iter().map(|o| o.name.as_str()).collect();
                let known = known.join(", ");
                return Err(format!(
                    "routes.{name}: no such operation; there are {known}"
                ));
            };
            if paths.is_empty() {
                return Err(format!("routes.{name}: name at least one path"));
            }
            operation.paths = paths
                .iter()
                .map(|path| alias(path, &operation.own, &pages))
                .collect::<Result<_, _>>()
                .map_err(|error| format!("routes.{name}: {error}"))?;
        }
        unambiguous(&all)?;
        let moved = all
            .into_iter()
            .filter(|operation| wanted.contains_key(&operation.name))
            .collect();
        Ok(Self { moved })
    }

    /// Who answers a request, and under which address.
    pub fn route(&self, method: &Method, uri: &Uri) -> Option<Routed> {
        let path = uri.path();
        let reads = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        // Of several that fit, the one with more literal segments.
        let mut best: Option<(usize, &Operation, BTreeMap<&str, &str>)> = None;
        for operation in &self.moved {
            for pattern in &operation.paths {
                let Some(values) = pattern.fits(path) else {
                    continue;
                };
                let literal = pattern.0.len().saturating_sub(pattern.places().len());
                let right = operation.method == *reads;
                let rank = literal * 2 + usize::from(right);
                if best.as_ref().is_none_or(|(known, ..)| rank > *known) {
                    best = Some((rank, operation, values));
                }
            }
        }
        if let Some((_, operation, values)) = best {
            let dialect = dialects::by_name(operation.dialect)?;
            let uri = readdressed(uri, &operation.own.fill(&values))?;
            return Some(Routed { dialect, uri });
        }
        let dialect = dialects::owner(path)?;
        // The own path of an operation that was moved away names nothing any more.
        let left = self
            .moved
            .iter()
            .any(|operation| operation.method == *reads && operation.own.fits(path).is_some());
        let nowhere = format!("{}/-/moved", dialect.profile().prefixes.first()?);
        let uri = if left {
            readdressed(uri, &nowhere)?
        } else {
            uri.clone()
        };
        Some(Routed { dialect, uri })
    }

    /// The path that documents show for an operation.
    pub fn shown(&self, operation: &str) -> Option<String> {
        let moved = self.moved.iter().find(|known| known.name == operation)?;
        let names: BTreeMap<&str, String> = moved
            .own
            .places()
            .into_iter()
            .map(|name| (name, format!("{{{name}}}")))
            .collect();
        let values = names.iter().map(|(name, text)| (*name, text.as_str()));
        moved.paths.first().map(|path| path.fill(&values.collect()))
    }
}

/// Another path for an operation: it must have the same places and not be a page of ours.
fn alias(path: &str, own: &Pattern, pages: &[&str]) -> Result<Pattern, String> {
    let pattern = Pattern::read(path)?;
    if pattern.places() != own.places() {
        let wanted: Vec<String> = own.places().iter().map(|p| format!("{{{p}}}")).collect();
        let wanted = if wanted.is_empty() {
            "no place to fill".to_owned()
        } else {
            wanted.join(" and ")
        };
        return Err(format!("{path:?} must have {wanted}"));
    }
    match pattern.0.first() {
        Some(Segment::Text(first)) if !OWN.contains(&first.as_str()) => {}
        _ => return Err(format!("{path:?} belongs to the gateway's own pages")),
    }
    // A page answers at its path whatever the method, before any dialect is asked.
    let taken = pages.iter().find(|page| {
        let page = Pattern::read(page.trim_end_matches('/'));
        page.is_ok_and(|page| page.meets(&pattern))
    });
    match taken {
        Some(page) => Err(format!(
            "{path:?} is taken by the gateway's own page {page}"
        )),
        None => Ok(pattern),
    }
}

/// No two operations may answer the same request.
fn unambiguous(all: &[Operation]) -> Result<(), String> {
    let mut taken: BTreeMap<(&str, Vec<Option<&str>>), &str> = BTreeMap::new();
    for operation in all {
        for pattern in &operation.paths {
            let claim = (operation.method.as_str(), pattern.shape());
            if let Some(other) = taken.insert(claim, &operation.name) {
                let places: Vec<String> = pattern
                    .0
                    .iter()
                    .map(|segment| match segment {
                        Segment::Text(text) => text.clone(),
                        Segment::Any(name) => format!("{{{name}}}"),
                    })
                    .collect();
                return Err(format!(
                    "routes: {other} and {} both claim {} /{}",
                    operation.name,
                    operation.method,
                    places.join("/")
                ));
            }
        }
    }
    Ok(())
}

/// Every operation that a dialect's OpenAPI document names: `<dialect>_<operationId>` in small
/// letters.
fn operations() -> Result<Vec<Operation>, String> {
    let mut all = Vec::new();
    for dialect in dialects::ALL {
        let profile = dialect.profile();
        let document: Value = serde_json::from_str(profile.openapi)
            .map_err(|error| format!("the document of {}: {error}", profile.name))?;
        let Some(paths) = document.get("paths").and_then(Value::as_object) else {
            continue;
        };
        for (path, item) in paths {
            for (verb, operation) in item.as_object().into_iter().flatten() {
                let id = operation.get("operationId").and_then(Value::as_str);
                let method = Method::from_bytes(verb.to_uppercase().as_bytes());
                if let (Some(id), Ok(method)) = (id, method) {
                    let own = Pattern::read(path)?;
                    all.push(Operation {
                        name: format!("{}_{}", profile.name, small(id)),
                        dialect: profile.name,
                        method,
                        paths: vec![own.clone()],
                        own,
                    });
                }
            }
        }
    }
    Ok(all)
}

/// `createPaymentRequest` → `create_payment_request`.
fn small(id: &str) -> String {
    let mut text = String::new();
    for c in id.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// An address with another path and the same query.
fn readdressed(uri: &Uri, path: &str) -> Option<Uri> {
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pairs: &[(&str, &[&str])]) -> Result<Routes, String> {
        let wanted = pairs
            .iter()
            .map(|(name, paths)| {
                let paths = paths.iter().map(|path| (*path).to_owned()).collect();
                ((*name).to_owned(), paths)
            })
            .collect();
        Routes::new(&wanted)
    }

    fn seen(routes: &Routes, method: Method, uri: &str) -> Option<(&'static str, String)> {
        let routed = routes.route(&method, &uri.parse().unwrap())?;
        Some((routed.dialect.profile().name, routed.uri.to_string()))
    }

    #[test]
    fn every_operation_has_a_name_and_no_two_collide() {
        let names: Vec<String> = operations().unwrap().into_iter().map(|o| o.name).collect();
        for name in [
            "numipay_hosted",
            "numipay_direct",
            "numipay_s2s",
            "numipay_payout",
            "numipay_reject",
            "numipay_approve",
            "numipay_status",
            "numipay_list",
            "hitpay_create_payment_request",
        ] {
            assert!(
                names.iter().any(|known| known == name),
                "{name} of {names:?}"
            );
        }
        assert!(table(&[]).is_ok());
    }

    #[test]
    fn another_path_leads_to_the_same_operation() {
        let routes = table(&[
            (
                "numipay_hosted",
                &["/gateway/v1/payments/hosted", "/payments/hosted"],
            ),
            ("numipay_status", &["/tx/{id}/status"]),
        ])
        .unwrap();
        let hosted = Some(("numipay", "/gateway/v1/payments/hosted".to_owned()));
        for path in [
            "/payments/hosted",
            "/payments/hosted/",
            "/gateway/v1/payments/hosted",
        ] {
            assert_eq!(seen(&routes, Method::POST, path), hosted, "{path}");
        }
        assert_eq!(
            seen(&routes, Method::GET, "/tx/a%2Fb/status?x=1"),
            Some(("numipay", "/gateway/v1/transactions/a%2Fb?x=1".to_owned()))
        );
        // Its own path is not among those that were named.
        let left = seen(&routes, Method::GET, "/gateway/v1/transactions/a").unwrap();
        assert_eq!(left, ("numipay", "/gateway/v1/-/moved".to_owned()));
        // The wrong method at another path is still the dialect's to refuse.
        assert!(seen(&routes, Method::DELETE, "/payments/hosted").is_some());
        assert_eq!(seen(&routes, Method::GET, "/nobody"), None);
        assert_eq!(routes.shown("numipay_status").unwrap(), "/tx/{id}/status");
        assert_eq!(routes.shown("numipay_list"), None);
    }

    #[test]
    fn two_operations_at_one_place_are_named() {
        let error = table(&[
            ("numipay_hosted", &["/buy/now"]),
            ("numipay_direct", &["/buy/now"]),
        ])
        .unwrap_err();
        for part in ["numipay_hosted", "numipay_direct", "POST /buy/now"] {
            assert!(error.contains(part), "{error}");
        }
        let error = table(&[("numipay_status", &["/v1/payment-requests/{id}"])]).unwrap_err();
        assert!(
            error.contains("hitpay_") && error.contains("numipay_status"),
            "{error}"
        );
        // The same path with another method is another request.
        assert!(table(&[("numipay_hosted", &["/gateway/v1/transactions"])]).is_ok());
        // A literal segment wins over a place: both may stand.
        assert!(table(&[("numipay_list", &["/gateway/v1/transactions/list"])]).is_ok());
    }

    #[test]
    fn a_wrong_setting_says_what_is_wrong() {
        for (name, paths, part) in [
            ("numipay_hostd", &["/x"][..], "numipay_hosted"),
            ("numipay_hosted", &[][..], "at least one"),
            ("numipay_hosted", &["x"][..], "slash"),
            ("numipay_hosted", &["/x/"][..], "end without"),
            ("numipay_hosted", &["/x//y"][..], "end without"),
            ("numipay_hosted", &["/x y"][..], "character"),
            ("numipay_hosted", &["/x/{id}"][..], "no place"),
            ("numipay_status", &["/x"][..], "{id}"),
            ("numipay_hosted", &["/sandbox/pay"][..], "own pages"),
            ("numipay_status", &["/{id}"][..], "own pages"),
        ] {
            let error = table(&[(name, paths)]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_path_that_a_page_has_is_refused_and_both_are_named() {
        for (name, path, page) in [
            ("numipay_status", "/cashier/{id}", "/cashier/{token}"),
            ("numipay_list", "/3ds/all", "/3ds/{token}"),
            (
                "numipay_list",
                "/payment-request/x",
                "/payment-request/{at_slug}",
            ),
            ("numipay_hosted", "/pay/now", "/pay/{id}"),
            ("numipay_hosted", "/card-gen", "/card-gen"),
            ("numipay_list", "/docs-v1", "/docs-v1"),
        ] {
            let error = table(&[(name, &[path])]).unwrap_err();
            for part in [name, path, page] {
                assert!(error.contains(part), "{error}");
            }
        }
        // No page is at these, although one begins so.
        for path in ["/pay", "/pay/now/please", "/payment-requests"] {
            assert!(table(&[("numipay_hosted", &[path])]).is_ok(), "{path}");
        }
    }
}
