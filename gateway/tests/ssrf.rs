//! The way out, tried by somebody who wants in: addresses that are not public in every spelling,
//! names that lead to them, redirects, answers without end, certificates that are worth nothing.
//!
//! `ssrf/refused.txt` lists what must never be connected to and `ssrf/permitted.txt` what may be;
//! each line goes through the real client over a network that counts connections.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails; clippy excuses test functions only"
)]

#[path = "ssrf/servers.rs"]
mod servers;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dialects::Dialect;
use domain::limits::ANSWER_MAX;
use gateway::clock::stopwatch;
use gateway::outbound::addresses::Rule;
use gateway::outbound::{Network, Outbound, Policy, Received, Sending, check_url};
use servers::{Server, closed, request};

const REFUSED: &str = include_str!("ssrf/refused.txt");
const PERMITTED: &str = include_str!("ssrf/permitted.txt");
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

/// A network in which every connection ends at one listener, and which remembers what was asked.
#[derive(Clone, Default)]
struct Lab {
    answers: Arc<Mutex<VecDeque<Vec<IpAddr>>>>,
    names: Arc<Mutex<Vec<String>>>,
    connected: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Lab {
    /// What the resolver gives, question by question.
    fn answer(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.answers.lock().unwrap().push_back(addresses);
    }

    fn network(&self, route: impl Fn(SocketAddr) -> SocketAddr + Send + Sync + 'static) -> Network {
        let (resolving, routing) = (self.clone(), self.clone());
        Network::Scripted(
            Arc::new(move |name| {
                resolving.names.lock().unwrap().push(name.to_owned());
                let answer = resolving.answers.lock().unwrap().pop_front();
                answer.ok_or_else(|| io::Error::other("no such name"))
            }),
            Arc::new(move |address| {
                routing.connected.lock().unwrap().push(address);
                route(address)
            }),
        )
    }

    fn connected(&self) -> Vec<String> {
        let connected = self.connected.lock().unwrap();
        connected.iter().map(SocketAddr::to_string).collect()
    }
}

fn sending(url: &str) -> Sending {
    Sending {
        url: url.to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: "{}".to_owned(),
        timeout: Duration::from_secs(20),
    }
}

fn allowing(entries: &[&str]) -> Policy {
    let entries: Vec<String> = entries.iter().map(|text| (*text).to_owned()).collect();
    Policy::new(false, &entries).unwrap()
}

/// Posts to a listener on this machine, which the operator permits.
async fn post(url: &str) -> Result<Received, String> {
    let outbound = Outbound::new(allowing(&["127.0.0.1"]));
    outbound.post(&sending(url)).await
}

/// The lines of a table, in cells.
fn rows(table: &str) -> Vec<Vec<&str>> {
    table
        .split('\n')
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(" | ").collect())
        .collect()
}

/// What a line asks for: URLs to try, and what the resolver answers for the name in them.
fn tries(text: &str) -> Vec<(String, Option<Vec<&str>>)> {
    if let Some((url, answer)) = text.split_once(" => ") {
        return vec![(url.to_owned(), Some(answer.split(',').collect()))];
    }
    match text.parse() {
        // An address is tried in a URL and behind a name.
        Ok(ip) => {
            let literal = match ip {
                IpAddr::V4(ip) => format!("https://{ip}/"),
                IpAddr::V6(ip) => format!("https://[{ip}]/"),
            };
            let named = "https://hooks.example/".to_owned();
            vec![(literal, None), (named, Some(vec![text]))]
        }
        Err(_) => vec![(text.to_owned(), None)],
    }
}

/// What tells by its spelling is refused when a payment or an endpoint is made, in every dialect,
/// with the rule and what would permit it.
#[test]
fn what_is_refused_by_its_spelling_is_refused_when_it_is_named() {
    let site = dialects::Site {
        insecure_targets: false,
        targets: dialects::Targets::new(|url| check_url(url, &Policy::default())),
        ..dialects::Site::sandbox("http://127.0.0.1")
    };
    let mut count = 0;
    for row in rows(REFUSED) {
        let alone = tries(row[0])
            .into_iter()
            .filter(|(_, answer)| answer.is_none());
        for (url, _) in alone {
            let Err(reason) = check_url(&url, &Policy::default()) else {
                // Only the resolver knows.
                continue;
            };
            count += 1;
            let form: String = form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("amount", "10.50"), ("currency", "SGD"), ("webhook", &url)])
                .finish();
            let (head, ()) = http::Request::post("/v1/payment-requests")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(())
                .unwrap()
                .into_parts();
            let now = domain::Timestamp::from_millis(1_795_000_000_000);
            let hitpay = dialects::hitpay::HitPay;
            let refused = hitpay.decode(&site, now, &head, form.as_bytes());
            let Err(domain::Refusal::Invalid(problems)) = refused else {
                panic!("{url}: {refused:?}");
            };
            assert!(problems[0].message.contains(&reason), "{problems:?}");
        }
    }
    assert!(count >= 500, "{count} cases");
}

#[tokio::test]
async fn nothing_that_is_not_public_is_ever_connected_to() {
    let rows = rows(REFUSED);
    assert!(rows.len() >= 500, "{} cases", rows.len());
    // Whoever comes all the same is counted and sent away at once.
    let server = Server::new(drop);
    let (lab, end) = (Lab::default(), server.address);
    let outbound = Outbound::over(Policy::default(), lab.network(move |_| end));
    let mut wrong = Vec::new();
    for row in &rows {
        let [text, rule, address] = row[..] else {
            panic!("{row:?}");
        };
        for (url, answer) in tries(text) {
            let resolved = answer.is_some();
            lab.answers.lock().unwrap().clear();
            if let Some(answer) = answer {
                lab.answer(&answer);
            }
            let result = outbound.post(&sending(&url)).await;
            let error = result.as_ref().err().cloned().unwrap_or_default();
            let address = match address.parse::<IpAddr>() {
                Ok(ip) => ip.to_string(),
                Err(_) => String::new(),
            };
            let named = error.contains(&format!("`{rule}`")) && error.contains(&address);
            let switch = address.is_empty()
                || (error.contains(&format!("allow_targets = [\"{address}\"]"))
                    && error.contains("allow_insecure_targets"));
            // What needs no resolver is also refused when the URL is registered.
            let early = resolved || check_url(&url, &Policy::default()) == Err(error.clone());
            if !named || !switch || !early || error.contains('\n') {
                wrong.push(format!("{url} | {rule} | {result:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(lab.connected(), [""; 0]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_table_has_a_case_for_each_rule() {
    let rows = rows(REFUSED);
    let known = |name: &str| rows.iter().any(|row| row[1] == name);
    for rule in Rule::ALL {
        assert!(known(rule.name()), "{rule:?}");
    }
    for rule in ["url", "scheme", "https", "user-info", "zone", "characters"] {
        assert!(known(rule), "{rule}");
    }
}

#[tokio::test]
async fn what_is_public_is_connected_to_and_nothing_else() {
    let refusing = closed();
    for row in rows(PERMITTED) {
        let [text, address] = row[..] else {
            panic!("{row:?}");
        };
        for (url, answer) in tries(text) {
            let lab = Lab::default();
            if let Some(answer) = answer {
                lab.answer(&answer);
            }
            let outbound = Outbound::over(Policy::default(), lab.network(move |_| refusing));
            let error = outbound.post(&sending(&url)).await.unwrap_err();
            assert!(error.contains("connection refused"), "{url}: {error}");
            assert_eq!(
                lab.connected.lock().unwrap()[0],
                address.parse().unwrap(),
                "{url}"
            );
            assert_eq!(check_url(&url, &Policy::default()), Ok(()), "{url}");
        }
    }
}

#[tokio::test]
async fn control_characters_are_refused() {
    for url in [
        "https://127.0.0.1\t/",
        "https://exam\nple.com/",
        "\0https://example.com/",
    ] {
        let error = post(url).await.unwrap_err();
        assert!(error.contains("`characters`"), "{url:?}: {error}");
        assert!(!error.contains(['\n', '\t', '\0']), "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let server = Server::answering(OK);
    let (lab, end) = (Lab::default(), server.address);
    lab.answer(&["93.184.215.14"]);
    lab.answer(&["127.0.0.1"]);
    lab.answer(&["93.184.215.15", "10.0.0.1"]);
    lab.answer(&["93.184.215.16"]);
    // Nobody listens for https; what was about to be connected to is remembered all the same.
    let nobody = closed();
    let route = move |to: SocketAddr| if to.port() == 443 { nobody } else { end };
    let outbound = Outbound::over(allowing(&["plain.example"]), lab.network(route));
    let url = "https://rebinding.example/";
    let error = outbound.post(&sending(url)).await.unwrap_err();
    assert!(error.contains("connection refused"), "{error}");
    assert_eq!(lab.connected(), ["93.184.215.14:443"]);
    for _ in 0..2 {
        let error = outbound.post(&sending(url)).await.unwrap_err();
        assert!(error.contains("rebinding.example leads to 1"), "{error}");
    }
    assert_eq!(lab.connected(), ["93.184.215.14:443"]);
    let answer = outbound.post(&sending("http://plain.example/")).await;
    assert_eq!(answer.unwrap().body, "ok");
    lab.answer(&["169.254.169.254"]);
    let error = outbound.post(&sending("http://plain.example/")).await;
    assert!(error.unwrap_err().contains("`metadata`"));
    // One question for each connection, none in between.
    assert_eq!(lab.names.lock().unwrap().len(), 5);
    assert_eq!(lab.connected(), ["93.184.215.14:443", "93.184.215.16:80"]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn listed_targets_are_reached_and_their_neighbours_are_not() {
    let server = Server::answering(OK);
    let port = server.address.port();
    let listed = Outbound::new(allowing(&["127.0.0.0/31"]));
    let received = listed.post(&sending(&server.url())).await.unwrap();
    assert_eq!((received.status, received.body.as_str()), (200, "ok"));
    let error = listed
        .post(&sending(&format!("http://127.0.0.2:{port}/")))
        .await
        .unwrap_err();
    assert!(
        error.contains("127.0.0.2") && error.contains("`loopback`"),
        "{error}"
    );

    let end = server.address;
    let lab = Lab::default();
    lab.answer(&["10.1.2.3"]);
    lab.answer(&["10.1.2.3"]);
    let named = Outbound::over(
        allowing(&["hooks.internal.example"]),
        lab.network(move |_| end),
    );
    let received = named
        .post(&sending("http://Hooks.internal.example.:8080/x"))
        .await
        .unwrap();
    assert_eq!(received.status, 200);
    let error = named
        .post(&sending("https://other.internal.example/"))
        .await
        .unwrap_err();
    assert!(error.contains("`private`"), "{error}");
    assert_eq!(lab.connected(), ["10.1.2.3:8080"]);
    assert_eq!(lab.names.lock().unwrap()[0], "hooks.internal.example");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn the_sandbox_reaches_its_own_machine_by_name() {
    let server = Server::answering(OK);
    let url = format!("http://localhost:{}/x", server.address.port());
    let received = Outbound::new(Policy::open()).post(&sending(&url)).await;
    assert_eq!(received.unwrap().status, 200);
    let error = post(&url).await;
    assert!(
        error.unwrap_err().contains("`https`"),
        "a name must be listed for http"
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let inner = Server::answering(OK);
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: {}\r\nrefresh: 0;url={}\r\n\
             content-length: 0\r\n\r\n",
            inner.url(),
            inner.url()
        );
        let server = Server::answering(answer);
        let received = post(&server.url()).await.unwrap();
        assert_eq!(received.status, status);
        assert!(
            received
                .headers
                .contains(&("location".to_owned(), inner.url()))
        );
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn the_request_goes_out_as_it_was_made() {
    let (seen, said) = mpsc::channel();
    let server = Server::new(move |mut stream| {
        seen.send(request(&mut stream)).unwrap();
        io::Write::write_all(&mut stream, OK.as_bytes()).unwrap();
    });
    post(&format!("{}?a=b#c", server.url())).await.unwrap();
    let request = said.recv().unwrap();
    assert!(
        request.starts_with("POST /hook?a=b HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("host: {}\r\n", server.address)),
        "{request}"
    );
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn a_long_answer_is_cut_and_its_head_is_kept() {
    let long = "é".repeat(ANSWER_MAX);
    let known = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}",
        long.len()
    );
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{long}");
    for answer in [known, endless] {
        let received = post(&Server::answering(answer).url()).await.unwrap();
        assert_eq!(received.status, 200);
        let (head, note) = received.body.rsplit_once('\n').unwrap();
        assert_eq!(head, "é".repeat(ANSWER_MAX / 2));
        assert_eq!(note, "(cut here: the answer is longer than 16384 bytes)");
    }
    let exact = "x".repeat(ANSWER_MAX);
    let answer = format!("HTTP/1.1 200 OK\r\n\r\n{exact}");
    let received = post(&Server::answering(answer).url()).await.unwrap();
    assert_eq!(received.body, exact);
    let broken = Server::answering("HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nhalf");
    let received = post(&broken.url()).await.unwrap();
    assert_eq!(received.status, 201);
    assert_eq!(received.body, "half\n(the answer broke off here)");
}

#[tokio::test]
async fn an_answer_that_comes_drop_by_drop_gains_no_time() {
    let outbound = Outbound::new(allowing(&["127.0.0.1"]));
    let patience = |url: &str| Sending {
        timeout: Duration::from_millis(200),
        ..sending(url)
    };
    let started = stopwatch();
    let head = Server::dripping("HTTP/1.1 200 OK\r\nx: ");
    let error = outbound.post(&patience(&head.url())).await.unwrap_err();
    assert_eq!(error, "no answer within 200 ms");
    let body = Server::dripping("HTTP/1.1 200 OK\r\n\r\nhello ");
    let received = outbound.post(&patience(&body.url())).await.unwrap();
    assert!(received.body.starts_with("hello x"), "{}", received.body);
    assert!(
        received
            .body
            .ends_with("(the rest did not come within 200 ms)")
    );
    assert!(stopwatch() - started < Duration::from_secs(10));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let wide = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(64 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    for answer in [wide, many] {
        let error = post(&Server::answering(answer).url()).await.unwrap_err();
        assert_eq!(error, "the head of the answer is too long");
    }
}

#[tokio::test]
async fn errors_say_what_was_wrong() {
    let nobody = closed();
    let error = post(&format!("http://{nobody}/")).await.unwrap_err();
    assert_eq!(error, format!("connection refused by {nobody}"));

    let lab = Lab::default();
    let outbound = Outbound::over(Policy::default(), lab.network(move |_| nobody));
    let error = outbound.post(&sending("https://gone.example/")).await;
    assert_eq!(
        error.unwrap_err(),
        "the name gone.example was not found: no such name"
    );
    lab.answer(&[]);
    let error = outbound.post(&sending("https://empty.example/")).await;
    assert_eq!(error.unwrap_err(), "the name empty.example has no address");

    let silent = Server::new(|mut stream| drop(request(&mut stream)));
    let error = post(&silent.url()).await.unwrap_err();
    assert_eq!(error, "the connection was closed before an answer came");
    let other = Server::answering("220 mail.example ESMTP\r\n");
    assert_eq!(
        post(&other.url()).await.unwrap_err(),
        "the answer is not HTTP"
    );
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_refused_in_plain_words() {
    for (pem, said) in [
        (
            include_str!("ssrf/expired.pem"),
            "the certificate has expired",
        ),
        (
            include_str!("ssrf/unknown-issuer.pem"),
            "the certificate comes from an unknown issuer",
        ),
    ] {
        // The sandbox's policy does not make a bad certificate good.
        for policy in [Policy::default(), Policy::open()] {
            let server = Server::secure(pem);
            let (lab, end) = (Lab::default(), server.address);
            lab.answer(&["93.184.215.14"]);
            let outbound = Outbound::over(policy, lab.network(move |_| end));
            let error = outbound.post(&sending("https://hooks.example/")).await;
            assert_eq!(error.unwrap_err(), format!("TLS problem: {said}"));
        }
    }
    let plain = Server::new(|mut stream| {
        io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let url = plain.url().replace("http:", "https:");
    assert_eq!(
        post(&url).await.unwrap_err(),
        "TLS problem: the other side does not speak TLS on this port"
    );
}

/// The versions in the extension `supported_versions` (43) of a ClientHello.
fn offered_versions(hello: &[u8]) -> Vec<u16> {
    let number = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
    // Record (5), handshake (4), version (2), random (32), then three lists with their lengths.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + usize::from(number(at));
    at += 1 + usize::from(hello[at]);
    let end = at + 2 + usize::from(number(at));
    at += 2;
    while at < end {
        let (kind, length) = (number(at), usize::from(number(at + 2)));
        if kind == 43 {
            let list = &hello[at + 5..at + 4 + length];
            return list
                .chunks(2)
                .map(|v| u16::from_be_bytes([v[0], v[1]]))
                .collect();
        }
        at += 4 + length;
    }
    panic!("no versions in {hello:?}");
}

#[tokio::test]
async fn nothing_older_than_tls_1_2_is_offered() {
    let (seen, said) = mpsc::channel();
    let server = Server::new(move |mut stream| {
        let mut head = [0; 5];
        io::Read::read_exact(&mut stream, &mut head).unwrap();
        let mut rest = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        io::Read::read_exact(&mut stream, &mut rest).unwrap();
        seen.send([&head[..], &rest].concat()).unwrap();
    });
    let url = server.url().replace("http:", "https:");
    let error = post(&url).await.unwrap_err();
    assert!(error.starts_with("TLS problem: "), "{error}");
    assert_eq!(offered_versions(&said.recv().unwrap()), [0x0304, 0x0303]);
}

#[tokio::test]
async fn a_host_whose_first_address_is_dead_is_still_reached() {
    let server = Server::answering(OK);
    let (end, dead) = (server.address, closed());
    let lab = Lab::default();
    for answer in [
        ["2606:4700::1111", "8.8.8.8"],
        ["8.8.4.4", "8.8.8.8"],
        ["2606:4700::1111", "2606:4700::1112"],
    ] {
        lab.answer(&answer);
    }
    let outbound = Outbound::over(
        allowing(&["two.example"]),
        lab.network(move |address| match address.ip().to_string().as_str() {
            "8.8.8.8" => end,
            _ => dead,
        }),
    );
    for _ in 0..2 {
        let received = outbound.post(&sending("http://two.example/")).await;
        assert_eq!(received.unwrap().status, 200);
    }
    let error = outbound.post(&sending("http://two.example/")).await;
    assert!(error.unwrap_err().starts_with("connection refused by"));
}

/// Runs itself once more with a proxy in the environment: a test cannot change its own.
#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    const CHILD: &str = "FLORIN_TEST_BEHIND_PROXY";
    let server = Server::answering(OK);
    if std::env::var_os(CHILD).is_some() {
        let received = post(&server.url()).await.unwrap();
        assert_eq!(received.body, "ok");
        return;
    }
    let proxy = Server::answering("HTTP/1.1 502 Through the proxy\r\ncontent-length: 0\r\n\r\n");
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "a_proxy_in_the_environment_is_not_used"]);
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        let url = format!("http://{}", proxy.address);
        again.env(name, &url).env(name.to_ascii_uppercase(), &url);
    }
    let output = again.env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(proxy.connections(), 0);
}
