//! The OpenAPI document against what is really read and written.

use std::collections::BTreeSet;

use dialects::Dialect;
use dialects::vipps::Vipps;
use domain::{Call, Refusal, ReservationCall};
use http::Response;
use serde_json::Value;

use super::schema::{check, contents, document, follow, object, operation, resolve};
use super::{fixtures, golden};

fn ours() -> Value {
    document(Vipps.profile().openapi)
}

/// The answer has the status, type and form that the operation describes.
fn fits(document: &Value, operation: &Value, response: &Response<Vec<u8>>, name: &str) {
    let described = &operation["responses"][response.status().as_str()];
    assert!(
        !described.is_null(),
        "{name}: {} is not described",
        response.status()
    );
    let described = resolve(document, described);
    if response.body().is_empty() {
        assert!(
            described.get("content").is_none(),
            "{name}: described with a body"
        );
        return;
    }
    let kind = response.headers()["content-type"].to_str().unwrap();
    let kind = kind.split(';').next().unwrap();
    let schema = &described["content"][kind]["schema"];
    assert!(!schema.is_null(), "{name}: {kind} is not described");
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    check(document, schema, &body, name);
}

#[test]
fn the_document_is_openapi_3_1_and_whole() {
    let document = ours();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    for (path, item) in object(&document["paths"]) {
        assert_eq!(
            dialects::owner(path).unwrap().profile().name,
            "vipps",
            "{path}"
        );
        for (method, operation) in object(item) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
            assert!(operation["summary"].is_string(), "{method} {path}");
            for status in ["401", "429", "503"] {
                assert!(
                    operation["responses"].get(status).is_some(),
                    "{id} {status}"
                );
            }
        }
    }
    follow(&document, &document);
}

#[test]
fn every_golden_request_is_described() {
    let document = ours();
    let mut called = BTreeSet::new();
    for golden in golden::requests() {
        let head = &golden.head;
        let path = dialects::vipps::paths::collapsed(head.uri.path()).to_lowercase();
        let method = head.method.as_str().replace("HEAD", "GET");
        let described = operation(&document, &method, &path);
        match Vipps.decode(&golden.site, fixtures::NOW, head, &golden.body) {
            Ok(incoming) => {
                let operation =
                    described.unwrap_or_else(|| panic!("{}: not described", golden.name));
                called.insert(operation["operationId"].as_str().unwrap().to_owned());
                if let Call::Reservation(ReservationCall::Unsound { refusal, .. }) = incoming.call {
                    refused(&document, operation, &golden, &refusal);
                }
            }
            Err(refusal) => {
                if let Some(operation) = described {
                    refused(&document, operation, &golden, &refusal);
                }
            }
        }
    }
    let all: BTreeSet<String> = object(&document["paths"])
        .values()
        .flat_map(|item| object(item).values())
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(called, all, "every operation has a golden request");
}

fn refused(document: &Value, operation: &Value, golden: &golden::Golden, refusal: &Refusal) {
    let response = Vipps.refuse(&golden.site, &golden.head, refusal);
    fits(document, operation, &response, &golden.name);
}

#[test]
fn answers_fit_their_schemas() {
    let document = ours();
    for (name, request, reply) in fixtures::replies() {
        let (method, target) = request.split_once(' ').unwrap();
        let head = fixtures::head(method, target);
        let response = Vipps.encode(&fixtures::site(), &head, &reply);
        let operation = operation(&document, method, head.uri.path()).unwrap();
        fits(&document, operation, &response, name);
    }
}

#[test]
fn steps_fit_the_webhook_that_is_described() {
    let document = ours();
    let webhook = &document["webhooks"]["payment"]["post"]["requestBody"]["content"];
    let schema = &webhook["application/json"]["schema"];
    let mut ask = fixtures::ask();
    let scope = Value::from("name address email phoneNumber");
    ask.extras.insert("scope".to_owned(), scope);
    let view = fixtures::view(ask, fixtures::sums(0, 0, 0));
    for step in fixtures::steps() {
        let body = dialects::vipps::webhooks::body(&view.bill, &view.payment, &step);
        let body: Value = serde_json::from_str(&body).unwrap();
        check(&document, schema, &body, step.kind.as_str());
    }
}

#[test]
fn examples_fit_their_schemas() {
    let document = ours();
    let mut seen = 0;
    for content in contents(&document) {
        let examples = content.get("examples").and_then(Value::as_object);
        for (name, example) in examples.into_iter().flatten() {
            seen += 1;
            check(&document, &content["schema"], &example["value"], name);
        }
    }
    assert!(seen > 25, "{seen} examples");
}
