//! The API as a client of the demo shop would call it, inside the process.

use axum::body::Body;
use http::request::Builder;
use http::{Method, header};
use http_body_util::BodyExt;
use serde_json::Value;
use store::Fault;

use super::super::answers::Trouble;
use crate::app::App;
use crate::http::pipeline;
use crate::operations::Failure;
use crate::sandbox::Demo;

/// A client of one dialect.
pub struct Client<'a> {
    app: &'a App,
    demo: &'a Demo,
    dialect: &'static str,
    /// A bearer token, for the dialect that issues them.
    token: Option<String>,
}

impl<'a> Client<'a> {
    /// A client of a dialect with the demo shop's credentials.
    pub async fn new(app: &'a App, demo: &'a Demo, dialect: &'static str) -> Result<Self, Trouble> {
        let mut client = Self {
            app,
            demo,
            dialect,
            token: None,
        };
        if dialect == dialects::vipps::NAME {
            let issued = client
                .call("POST", "/accesstoken/get", String::new())
                .await?;
            let token = issued.get("access_token").and_then(Value::as_str);
            client.token = token.map(str::to_owned);
        }
        Ok(client)
    }

    /// Makes a call; the answer as JSON. One that is refused is told as the API told it.
    pub async fn call(&self, method: &str, path: &str, body: String) -> Result<Value, Trouble> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| broken(&error))?;
        let request = self.authorised(http::Request::builder().method(method).uri(path));
        let request = request
            .body(Body::from(body))
            .map_err(|error| broken(&error))?;
        let response = pipeline::call(self.app, request).await;
        let status = response.status();
        let bytes = response.into_body().collect().await;
        let bytes = bytes.map_err(|error| broken(&error))?.to_bytes();
        if !status.is_success() {
            let text = String::from_utf8_lossy(&bytes);
            return Err(Trouble::wrong(format!("{path} answered {status}: {text}")));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| broken(&error))
    }

    fn authorised(&self, request: Builder) -> Builder {
        let known = &self.demo.credentials;
        let json = request.header(header::CONTENT_TYPE, "application/json");
        match self.dialect {
            dialects::vipps::NAME => {
                let vipps = &known.vipps;
                let keyed = json
                    .header("ocp-apim-subscription-key", &vipps.subscription_key)
                    .header("merchant-serial-number", &vipps.merchant_serial_number);
                match &self.token {
                    None => keyed
                        .header("client_id", &vipps.client_id)
                        .header("client_secret", &vipps.client_secret),
                    Some(token) => {
                        let key = self.app.moment().uuid("trigger key");
                        keyed
                            .header(header::AUTHORIZATION, format!("Bearer {token}"))
                            .header("idempotency-key", key.hyphenated().to_string())
                    }
                }
            }
            dialects::numipay::NAME => json.header("x-api-key", &known.numipay.api_key),
            "igivepay" => json
                .header("x-client-id", &known.igivepay.client_id)
                .header("x-client-secret", &known.igivepay.client_secret),
            _ => http_form(json, &known.hitpay.api_key),
        }
    }
}

/// HitPay's clients send forms.
fn http_form(request: Builder, key: &str) -> Builder {
    let mut request = request.header("x-business-api-key", key);
    if let Some(headers) = request.headers_mut() {
        let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
    }
    request
}

fn broken(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::from(Failure::Fault(Fault(format!("a triggered call: {error}"))))
}
