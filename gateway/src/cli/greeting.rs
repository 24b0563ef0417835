//! What a newcomer reads first: where everything is, the sandbox's own credentials, and a first
//! call of each dialect that works as it stands when it is pasted.

use std::path::Path;

use crate::clock::Clock;
use crate::sandbox::{self, Credentials, Origin};

/// The whole text.
pub(super) fn greeting(
    credentials: &Credentials,
    data: &Path,
    origin: Origin,
    clock: &Clock,
) -> String {
    let parts = [
        places(credentials, data, origin, clock),
        keys(credentials),
        hitpay(credentials),
        vipps(credentials),
        numipay(credentials),
        igivepay(credentials),
        webhooks(data),
    ];
    parts.join("\n")
}

/// Where everything is.
fn places(credentials: &Credentials, data: &Path, origin: Origin, clock: &Clock) -> String {
    let base = &credentials.base_url;
    let made = match origin {
        Origin::Kept => "credentials as before",
        Origin::New => "new credentials for Demo Shop",
        Origin::Common => "the credentials of the nodes that run already",
    };
    let data = data.display();
    let now = sandbox::simulate::rfc3339(clock.now());
    let ahead = match sandbox::clock::ahead(clock) {
        None => "move it with POST /sandbox/clock".to_owned(),
        Some(ahead) => format!("{ahead} ahead of the system's"),
    };
    format!(
        "\
Florin sandbox: everything in test mode, no real money.

  Checkout demo      {base}/
  API documents      {base}/docs
  Simulator          {base}/sandbox/simulate (POST)
  Phones             {base}/sandbox/phone
  Gift cards         {base}/card-gen
  Webhooks           {base}/sandbox/deliveries  {base}/sandbox/endpoints
  Health, metrics    {base}/health/ready  {base}/metrics
  Clock              {now} ({ahead})
  Data               {data} ({made} in {data}/sandbox.json)
"
    )
}

/// The credentials of Demo Shop.
fn keys(credentials: &Credentials) -> String {
    let Credentials {
        hitpay,
        numipay,
        vipps,
        igivepay,
        ..
    } = credentials;
    format!(
        "\
\x20 HitPay             key                 {}
                     salt                {}
  Vipps MobilePay    client_id           {}
                     client_secret       {}
                     subscription key    {}
                     serial number       {}
  Numipay            key                 {}
                     signature password  {}
  iGivePay           client id           {}
                     client secret       {}
",
        hitpay.api_key,
        hitpay.salt,
        vipps.client_id,
        vipps.client_secret,
        vipps.subscription_key,
        vipps.merchant_serial_number,
        numipay.api_key,
        numipay.signature_password,
        igivepay.client_id,
        igivepay.client_secret,
    )
}

fn hitpay(credentials: &Credentials) -> String {
    let (base, key) = (&credentials.base_url, &credentials.hitpay.api_key);
    format!(
        "\
HitPay: open the \"url\" of the answer and pay with 4242 4242 4242 4242.

  curl -sS {base}/v1/payment-requests \\
    -H 'X-BUSINESS-API-KEY: {key}' \\
    -d amount=25.00 -d currency=SGD -d purpose='A pot of tea' -d 'payment_methods[]=card'
"
    )
}

fn vipps(credentials: &Credentials) -> String {
    let base = &credentials.base_url;
    let vipps = &credentials.vipps;
    format!(
        r#"Vipps MobilePay: a token, then 49.00 NOK asked for on {base}/sandbox/phone/4791234567

  TOKEN=$(curl -sS -X POST {base}/accesstoken/get \
    -H 'client_id: {client}' -H 'client_secret: {secret}' \
    -H 'Ocp-Apim-Subscription-Key: {key}' | sed 's/.*"access_token":"//;s/".*//')

  curl -sS {base}/epayment/v1/payments -H "Authorization: Bearer $TOKEN" \
    -H 'Ocp-Apim-Subscription-Key: {key}' -H 'Merchant-Serial-Number: {msn}' \
    -H "Idempotency-Key: $(date +%s)" -H 'Content-Type: application/json' \
    -d '{{"amount":{{"currency":"NOK","value":4900}},"paymentMethod":{{"type":"WALLET"}},
         "customer":{{"phoneNumber":"4791234567"}},"userFlow":"PUSH_MESSAGE",
         "reference":"order-'$(date +%s)'","paymentDescription":"A pot of tea"}}'
"#,
        client = vipps.client_id,
        secret = vipps.client_secret,
        key = vipps.subscription_key,
        msn = vipps.merchant_serial_number,
    )
}

fn numipay(credentials: &Credentials) -> String {
    let (base, key) = (&credentials.base_url, &credentials.numipay.api_key);
    format!(
        r#"Numipay: a deposit; open the "url" of the answer.

  curl -sS {base}/gateway/v1/payments/hosted \
    -H 'X-Api-Key: {key}' -H 'Content-Type: application/json' \
    -d '{{"request":{{"user_id":"123","tracking_id":"order-'$(date +%s)'",
         "currency":"EUR","amount":"200.00"}}}}'
"#
    )
}

fn igivepay(credentials: &Credentials) -> String {
    let (base, client) = (&credentials.base_url, &credentials.igivepay);
    format!(
        r#"iGivePay: make a gift card at {base}/card-gen, then open the "url" of the answer.

  curl -sS {base}/api/v1/payments \
    -H 'x-client-id: {id}' \
    -H 'x-client-secret: {secret}' \
    -H 'Content-Type: application/json' \
    -d '{{"paymentTotal":499.5,"reference":"order-1001","redirectUrl":"{base}/"}}'
"#,
        id = client.client_id,
        secret = client.client_secret,
    )
}

/// How a shop under development hears of them.
fn webhooks(data: &Path) -> String {
    let data = data.display();
    format!(
        "\
Webhooks, live and handed on to your own receiver; in a second terminal, an event that happens:

  florin listen --data {data} --forward-to http://localhost:3000/hook
  florin trigger --data {data} bill.paid

Stop with Ctrl-C; the next start finds everything again.
"
    )
}
