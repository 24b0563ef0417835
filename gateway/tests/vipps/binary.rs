//! The running binary from outside: the published commands as they are pasted into a shell, bytes
//! that only a real connection can carry, and the ladder of retries through the sandbox's clock.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::process::client::{Client, read_raw};
use crate::process::hook::Hook;
use crate::process::{Gateway, florin, run};

struct Running {
    gateway: Gateway,
    vipps: Value,
    data: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(data.path(), "127.0.0.1:0");
        let text = std::fs::read_to_string(data.path().join("sandbox.json")).unwrap();
        let settings: Value = serde_json::from_str(&text).unwrap();
        Self {
            gateway,
            vipps: settings["vipps"].clone(),
            data,
        }
    }

    fn credential(&self, name: &str) -> &str {
        self.vipps[name].as_str().unwrap()
    }

    /// The headers of the quick start, with the merchant's own values.
    fn quick_start(&self) -> String {
        format!(
            "-H 'client_id: {}' \\\n-H 'client_secret: {}' \\\n\
             -H 'Ocp-Apim-Subscription-Key: {}' \\\n-H 'Merchant-Serial-Number: {}' \\\n\
             -H 'Vipps-System-Name: acme' \\\n-H 'Vipps-System-Version: 3.1.2' \\\n\
             -H 'Vipps-System-Plugin-Name: acme-webshop' \\\n\
             -H 'Vipps-System-Plugin-Version: 4.5.6'",
            self.credential("client_id"),
            self.credential("client_secret"),
            self.credential("subscription_key"),
            self.credential("merchant_serial_number"),
        )
    }

    /// The status and the body that a pasted command prints.
    fn pasted(&self, command: &str) -> (u16, String) {
        let base = format!("http://{}", self.gateway.address);
        let command = command.replace("https://apitest.vipps.no", &base);
        let output = Command::new("bash")
            .args(["-c", &format!("{command} -s -w '\\n%{{http_code}}'")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "is curl missing? {said}");
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    fn token(&self) -> String {
        let headers = self.quick_start();
        let (status, body) = self.pasted(&format!(
            "curl -X POST 'https://apitest.vipps.no/accessToken/get' \\\n{headers} \\\n--data ''"
        ));
        assert_eq!(status, 200, "{body}");
        let token: Value = serde_json::from_str(&body).unwrap();
        token["access_token"].as_str().unwrap().to_owned()
    }

    /// A client that sends what an ordinary client sends.
    fn client(&self) -> Client {
        let bearer = format!("Bearer {}", self.token());
        Client::connect(self.gateway.address, "")
            .unwrap()
            .with_headers(&[
                ("Authorization", &bearer),
                (
                    "Ocp-Apim-Subscription-Key",
                    self.credential("subscription_key"),
                ),
                (
                    "Merchant-Serial-Number",
                    self.credential("merchant_serial_number"),
                ),
                ("Idempotency-Key", "1"),
            ])
    }

    /// Bytes as they are, on a connection of their own; the head and the body of the answer.
    fn raw(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.gateway.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        read_raw(&mut BufReader::new(stream)).unwrap()
    }
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"))
}

fn terms(reference: &str) -> String {
    json!({
        "amount": {"currency": "NOK", "value": 49_900},
        "paymentMethod": {"type": "WALLET"},
        "reference": reference,
        "userFlow": "WEB_REDIRECT",
        "returnUrl": "https://shop.example/back",
    })
    .to_string()
}

/// Register, list and delete, with `auth` in front of the other headers of the quick start.
fn three_commands(running: &Running, path: &str, auth: &str) {
    let headers = format!("{auth} \\\n{}", running.quick_start());
    let (status, body) = running.pasted(&format!(
        "curl -X POST 'https://apitest.vipps.no{path}' \\\n{headers} \\\n\
         -d '{{\"url\": \"https://example.com/hook\", \
         \"events\": [\"epayments.payment.captured.v1\"]}}'"
    ));
    assert_eq!(status, 201, "{body}");
    let made = parsed(&body);
    assert_eq!(made.as_object().unwrap().len(), 2, "{made}");
    assert_eq!(made["secret"].as_str().unwrap().len(), 88);
    let id = made["id"].as_str().unwrap();
    let (status, body) = running.pasted(&format!(
        "curl -X GET 'https://apitest.vipps.no{path}' \\\n{headers} \\\n--data ''"
    ));
    assert_eq!(status, 200);
    let wanted = json!({"webhooks": [{
        "id": id, "url": "https://example.com/hook", "events": ["epayments.payment.captured.v1"],
    }]});
    assert_eq!(parsed(&body), wanted);
    let (status, body) = running.pasted(&format!(
        "curl -X DELETE 'https://apitest.vipps.no{path}/{id}' \\\n{headers} \\\n--data ''"
    ));
    assert_eq!((status, body.as_str()), (204, ""));
}

#[test]
fn the_commands_of_the_quick_start_work_as_they_are_pasted() {
    let running = Running::start();
    let headers = running.quick_start();
    let command = "curl -X POST 'https://apitest.vipps.no/accessToken/get'";
    let (status, body) = running.pasted(&format!("{command} \\\n{headers} \\\n--data ''"));
    assert_eq!(status, 200, "{body}");
    let token = parsed(&body);
    assert!(token.as_object().unwrap().values().all(Value::is_string));
    // As it was published first: two slashes, no bearer token, JSON that curl calls a form.
    three_commands(&running, "//webhooks/v1/webhooks", "-H 'Accept: */*'");
    // As it was corrected.
    let bearer = token["access_token"].as_str().unwrap();
    let auth = format!("-H 'Authorization: Bearer {bearer}' -H 'Content-Type: application/json'");
    three_commands(&running, "/webhooks/v1/webhooks", &auth);
    // A bearer token decides if both come: an old one is not saved by client headers.
    let wrong = format!(
        "curl 'https://apitest.vipps.no/webhooks/v1/webhooks' -H 'Authorization: Bearer x' \
         {headers}"
    );
    assert_eq!(running.pasted(&wrong).0, 401);
}

#[test]
fn chunked_bodies_any_host_and_slashes_reach_the_calls() {
    let running = Running::start();
    let token = running.token();
    let common = format!(
        "Authorization: Bearer {token}\r\nOcp-Apim-Subscription-Key: {}\r\n\
         Merchant-Serial-Number: {}\r\nIdempotency-Key: 1\r\nConnection: close\r\n",
        running.credential("subscription_key"),
        running.credential("merchant_serial_number"),
    );
    let body = terms("chunked-123");
    let (one, two) = body.split_at(40);
    let (head, made) = running.raw(&format!(
        "POST //epayment//v1/payments HTTP/1.1\r\nHost: apitest.vipps.no/\r\n{common}\
         Content-Type: application/json; charset=\"utf-8\"\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len(),
    ));
    assert!(head.starts_with("http/1.1 201 "), "{head}: {made}");
    assert_eq!(parsed(&made)["reference"], "chunked-123");
    for host in ["apitest.vipps.no/", "", "api.vipps.no:443", "[::1"] {
        let (head, _) = running.raw(&format!(
            "GET //epayment/v1/payments/chunked-123 HTTP/1.1\r\nHost: {host}\r\n{common}\r\n"
        ));
        assert!(head.starts_with("http/1.1 200 "), "{host}: {head}");
    }
    let (head, _) = running.raw(&format!(
        "GET http://apitest.vipps.no/epayment/v1/payments/chunked-123 HTTP/1.1\r\n\
         Host: apitest.vipps.no\r\n{common}\r\n"
    ));
    assert!(head.starts_with("http/1.1 200 "), "a whole URL: {head}");
}

#[test]
fn the_usual_port_has_at_most_four_digits() {
    let help = run(&["sandbox", "--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, rest) = help.split_once("127.0.0.1:").unwrap();
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    assert!((1..=4).contains(&port.len()), "{port}");
}

/// What `florin webhooks verify` says to a delivery as a receiver saw it.
fn verified(head: &str, body: &str, secret: &str) -> (bool, String) {
    let (_, headers) = head.split_once('\n').unwrap();
    let mut child = florin()
        .args(["webhooks", "verify", "--secret", secret])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let request = format!("POST /hook?shop=1 HTTP/1.1\n{headers}\n{body}");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(request.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), said)
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A registered receiver that refuses AUTHORIZED, a payment that is approved and captured, and one
/// that only waits. The secret of the registration.
fn blocked(client: &mut Client, hook: &Hook) -> String {
    let mut post = |path: &str, body: &str| {
        let answer = client.post(path, FORM, body).unwrap();
        assert!(answer.status < 300, "{path}: {}", answer.body);
        answer.body
    };
    let events: Vec<String> = ["created", "authorized", "captured"]
        .iter()
        .map(|name| format!("epayments.payment.{name}.v1"))
        .collect();
    let body = json!({"url": hook.url("hook?shop=1"), "events": events});
    let made = post("/webhooks/v1/webhooks", &body.to_string());
    hook.answers(AUTHORIZED, 500);
    for reference in ["blocked-123", "free-12345"] {
        post("/epayment/v1/payments", &terms(reference));
    }
    let approve = r#"{"payment":"blocked-123","outcome":"approve"}"#;
    post("/sandbox/simulate", approve);
    let amount = r#"{"modificationAmount":{"currency":"NOK","value":100}}"#;
    post("/epayment/v1/payments/blocked-123/capture", amount);
    hook.wait("free-12345", 1);
    hook.wait(AUTHORIZED, 1);
    parsed(&made)["secret"].as_str().unwrap().to_owned()
}

const AUTHORIZED: &str = "\"name\":\"AUTHORIZED\"";

/// Heads and bodies of the deliveries of one event.
fn told(hook: &Hook, name: &str) -> Vec<(String, String)> {
    let text = format!("\"name\":\"{name}\"");
    let mut got = hook.got();
    got.retain(|(_, body)| body.contains(&text));
    got
}

fn pass(client: &mut Client, time: &str) {
    let body = format!("{{\"advance\":\"{time}\"}}");
    let answer = client.post("/sandbox/clock", FORM, &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn header(head: &str, name: &str) -> String {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).unwrap().1.to_owned()
}

/// `florin webhooks show` of a delivery names the payment as answers do and as the webhook does.
fn shown_with_both_numbers(running: &Running, (head, body): &(String, String)) {
    let delivery = header(head, "florin-delivery-id");
    let data = running.data.path().to_str().unwrap();
    let shown = run(&["webhooks", "show", &delivery, "--data", data]);
    let text = String::from_utf8(shown.stdout).unwrap();
    let mut client = running.client();
    let payment = client.get("/epayment/v1/payments/blocked-123").unwrap();
    let answered = parsed(&payment.body)["pspReference"].clone();
    let told = parsed(body)["pspReference"].clone();
    assert_ne!(answered, told);
    for part in [
        format!("pspReference in answers  {}", answered.as_str().unwrap()),
        format!("pspReference in this one {}", told.as_str().unwrap()),
        "blocked-123".to_owned(),
        "> x-vipps-authorization: HMAC-SHA256 SignedHeaders=".to_owned(),
        "Attempt 6 at".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
}

#[test]
fn the_ladder_blocks_one_payment_and_goes_on_when_the_clock_does() {
    let running = Running::start();
    let hook = Hook::open();
    let mut client = running.client();
    let secret = blocked(&mut client, &hook);
    // 0, 2, 4, 6, 66 and 186 seconds; then hourly.
    pass(&mut client, "30m");
    let tries = told(&hook, "AUTHORIZED");
    assert_eq!(tries.len(), 6);
    let mut dates = std::collections::BTreeSet::new();
    for (number, (head, body)) in tries.iter().enumerate() {
        assert_eq!(*body, tries[0].1, "the same bytes");
        assert_eq!(header(head, "florin-attempt"), (number + 1).to_string());
        let kind = header(head, "florin-event-type");
        assert_eq!(kind, "epayments.payment.authorized.v1");
        let (genuine, said) = verified(head, body, &secret);
        assert!(genuine, "{said}");
        dates.insert(header(head, "x-ms-date"));
    }
    assert_eq!(dates.len(), 6, "signed anew: {dates:?}");
    assert_eq!(told(&hook, "CAPTURED").len(), 0, "behind the one before it");
    assert_eq!(told(&hook, "CREATED").len(), 2, "other payments are not");
    shown_with_both_numbers(&running, &tries[0]);
    let (genuine, said) = verified(&tries[0].0, &tries[0].1, "another secret");
    assert!(!genuine && said.contains("POST"), "what to sign: {said}");
    // The receiver is mended: with the next hourly try the rest follows, in order.
    hook.answers(AUTHORIZED, 202);
    pass(&mut client, "1h");
    let counts = ["AUTHORIZED", "CAPTURED"].map(|name| told(&hook, name).len());
    assert_eq!(counts, [7, 1]);
    let last = hook.got().pop().unwrap().1;
    assert!(last.contains("CAPTURED"), "{last}");
}
