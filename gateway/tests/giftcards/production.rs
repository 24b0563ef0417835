//! `florin serve` with clients of iGivePay: cards for tests, and what configuration and programme
//! settle.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::desk::{FORM, JSON, PAYMENTS, call, command};
use crate::process::client::Client;
use crate::process::{Gateway, florin, said};

const MASTER: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";

/// The id and the secret of a client of iGivePay.
type Pair = (String, String);

/// A merchant of a mode in a configured place.
fn merchant(config: &Path, name: &str, mode: &str) -> Pair {
    let mut add = florin();
    add.args(["merchants", "add", "--name", name, "--mode", mode])
        .arg("--config")
        .arg(config)
        .env("FLORIN_MASTER_KEY", MASTER);
    let added = add.output().unwrap();
    let printed = String::from_utf8(added.stdout.clone()).unwrap();
    let value = |name: &str| {
        let line = printed.lines().find(|line| line.contains(name));
        let line = line.unwrap_or_else(|| panic!("{printed} {}", said(&added)));
        line.split_whitespace().last().unwrap().to_owned()
    };
    (value("x-client-id"), value("x-client-secret"))
}

struct Server {
    gateway: Gateway,
    folder: tempfile::TempDir,
    clients: Vec<Pair>,
}

impl Server {
    /// A server with these settings and a merchant for each of the modes.
    fn start(more: &str, modes: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("florin.toml");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let settings = format!(
            "listen = \"{address}\"\npublic_url = \"https://pay.example.com\"\ndata = {:?}\n\
             log_level = \"error\"\n{more}",
            folder.path().join("data")
        );
        std::fs::write(&config, settings).unwrap();
        let named = modes.iter().zip(1..);
        let clients = named
            .map(|(mode, n)| merchant(&config, &format!("Shop {n}"), mode))
            .collect();
        let child = florin()
            .args(["serve", "--config"])
            .arg(&config)
            .env("FLORIN_MASTER_KEY", MASTER)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let gateway = Gateway {
            child,
            address,
            key: String::new(),
            ready: std::time::Duration::default(),
        };
        let since = gateway::clock::stopwatch();
        let door = gateway::operator::socket(&folder.path().join("data"));
        let ready = || {
            let told = Client::connect(address, "").and_then(|mut c| c.get("/health/ready"));
            told.is_ok_and(|told| told.status == 200) && door.exists()
        };
        while !ready() {
            let spent = gateway::clock::stopwatch().saturating_sub(since);
            assert!(spent.as_secs() < 20, "not ready");
            std::thread::yield_now();
        }
        Self {
            gateway,
            folder,
            clients,
        }
    }

    fn client(&self, number: usize) -> Client {
        let (id, secret) = &self.clients[number];
        let client = Client::connect(self.gateway.address, "").unwrap();
        client.with_headers(&[("x-client-id", id), ("x-client-secret", secret)])
    }

    /// Changes a merchant's programme.
    fn programme(&self, slug: &str, args: &[&str]) {
        let data = self.folder.path().join("data");
        let args = [&["programme", "--merchant", slug][..], args].concat();
        let output = command(&data, &args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }
}

#[test]
fn test_clients_of_a_server_make_cards_for_themselves() {
    let server = Server::start("[igivepay]\ncard_gen = 3\n", &["test", "test", "live"]);
    let mut anybody = Client::connect(server.gateway.address, "").unwrap();
    let mut make = |id: &str, more: &str| {
        let body = format!(r#"{{"clientId":"{id}","amount":250.5{more}}}"#);
        let told = anybody.post("/card-gen", JSON, &body).unwrap();
        let body = serde_json::from_str(&told.body).unwrap_or(Value::Null);
        (told.status, body)
    };
    let ids: Vec<&str> = server.clients.iter().map(|(id, _)| id.as_str()).collect();
    let (status, card) = make(ids[0], "");
    assert_eq!((status, &card["amount"]), (200, &json!(250.5)), "{card}");
    let (_, several) = make(ids[1], ",\"count\":3");
    assert_eq!(several["cards"].as_array().unwrap().len(), 3);
    assert_eq!(make(ids[1], ",\"count\":4").0, 400);
    // A live client, a secret in place of an id, nobody: one answer without a hint.
    let nobody = make("somebody", "");
    assert_eq!(nobody.0, 404);
    assert_eq!(make(ids[2], ""), nobody);
    assert_eq!(make(&server.clients[0].1, ""), nobody);
    // The card is good for that client only.
    let pays = |number: usize| {
        let mut client = server.client(number);
        let body = json!({"paymentTotal": 10, "reference": "t", "accessMode": "api"});
        let (_, made) = call(&mut client, PAYMENTS, &body);
        let path = format!("{PAYMENTS}/{}/perform", made["paymentId"].as_str().unwrap());
        let one = json!({"cardNumber": card["cardNumber"], "cvc": card["cvc"]});
        let (status, told) = call(&mut client, &path, &json!({"cards": [one]}));
        (status, told["errorCode"].clone())
    };
    assert_eq!(pays(0), (200, Value::Null));
    assert_eq!(pays(1), (400, json!(108)));
    assert_eq!(pays(2), (400, json!(104)), "of the other mode");
    let page = anybody.get("/card-gen").unwrap();
    assert!(
        page.status == 200 && !page.body.contains(ids[0]),
        "{}",
        page.body
    );
    let form = format!("clientId={}&amount=12.50", ids[1]);
    let made = anybody.post("/card-gen", FORM, &form).unwrap();
    assert_eq!(made.status, 200, "{}", made.body);
}

#[test]
fn a_server_without_test_clients_has_no_generator() {
    let server = Server::start("", &["live"]);
    let mut anybody = Client::connect(server.gateway.address, "").unwrap();
    assert_eq!(anybody.get("/card-gen").unwrap().status, 404);
    let body = format!(r#"{{"clientId":"{}","amount":5}}"#, server.clients[0].0);
    assert_eq!(anybody.post("/card-gen", JSON, &body).unwrap().status, 404);
}

#[test]
fn each_merchant_has_its_own_way_back() {
    let server = Server::start(
        "[igivepay]\nreturn_url = \"https://server.example/\"\ncards = 1\nbody_max = 1024\n",
        &["test", "test"],
    );
    server.programme("shop-1", &["--return-url", "https://one.example/back"]);
    let leave = |number: usize, body: Value| {
        let mut client = server.client(number);
        let (status, made) = call(&mut client, PAYMENTS, &body);
        assert_eq!(status, 200, "{made}");
        let url = made["url"].as_str().unwrap();
        let page = &url[url.find("/pay/").unwrap()..];
        let left = client.post(page, FORM, "action=cancel").unwrap();
        let line = left.head.lines().find_map(|l| l.strip_prefix("location: "));
        line.unwrap().split('?').next().unwrap().to_owned()
    };
    let bare = || json!({"paymentTotal": 10});
    assert_eq!(leave(0, bare()), "https://one.example/back");
    assert_eq!(leave(1, bare()), "https://server.example/");
    let own = json!({"paymentTotal": 10, "redirectUrl": "https://call.example/"});
    assert_eq!(leave(0, own), "https://call.example/");
    // As many cards as are configured, on the page as in a call; and as many bytes.
    let id = &server.clients[0].0;
    let mut client = server.client(0);
    let body = json!({"clientId": id, "amount": 4, "count": 2});
    let (_, made) = call(&mut client, "/card-gen", &body);
    let (_, payment) = call(&mut client, PAYMENTS, &bare());
    let url = payment["url"].as_str().unwrap().to_owned();
    let page = &url[url.find("/pay/").unwrap()..];
    let add = |client: &mut Client, card: &Value| {
        let (number, cvc) = (&card["cardNumber"], &card["cvc"]);
        let (number, cvc) = (number.as_str().unwrap(), cvc.as_str().unwrap());
        let form = format!("action=add-card&card_number={number}&cvc={cvc}");
        client.post(page, FORM, &form).unwrap().status
    };
    assert_eq!(add(&mut client, &made["cards"][0]), 303);
    let shown = client.get(page).unwrap().body;
    assert!(!shown.contains("name=\"card_number\""), "{shown}");
    assert_eq!(add(&mut client, &made["cards"][1]), 422);
    let long = json!({"paymentTotal": 10, "more": "x".repeat(1_100)});
    let (status, told) = call(&mut client, PAYMENTS, &long);
    assert_eq!((status, &told["errorCode"]), (413, &json!(109)), "{told}");
}

#[test]
fn a_way_back_is_a_web_address() {
    let desk = crate::desk::Desk::new();
    for wrong in [
        "javascript:alert(1)",
        "shop.example",
        "https://u:p@x.example/",
    ] {
        desk.refuses(&["programme", "--return-url", wrong], 2, "return-url");
    }
    let mut client = desk.client();
    let body = json!({"paymentTotal": 10});
    let (status, told) = call(&mut client, PAYMENTS, &body);
    assert_eq!((status, &told["errorCode"]), (400, &json!(109)), "{told}");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("redirectUrl is required")
    );
    desk.does(&["programme", "--return-url", "https://shop.example/"]);
    assert_eq!(call(&mut client, PAYMENTS, &body).0, 200);
    desk.does(&["programme", "--return-url", ""]);
    assert_eq!(call(&mut client, PAYMENTS, &body).0, 400);
}
