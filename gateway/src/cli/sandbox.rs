//! `florin sandbox`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use domain::Secret;
use domain::delivery::DeliveryRules;

use super::{Problem, SandboxArgs, cannot, failed, say, start};
use crate::app::{App, Parts};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::outbound::{Outbound, Policy};
use crate::sandbox::{self, Credentials};
use crate::schemes::Scheme;
use crate::vault::Vault;
use crate::{config, logs};

/// The sandbox's own master key, inside the data folder.
const KEY: &str = "master.key";

pub(super) fn run(args: &SandboxArgs) -> Result<(), Problem> {
    logs::start(args.log_format, args.log_level);
    crate::http::health::count();
    let public_url = args
        .public_url
        .as_deref()
        .map(config::public_url)
        .transpose()
        .map_err(Problem::Usage)?;
    let delivery = delivery(args.webhook_timeout.as_deref()).map_err(Problem::Usage)?;
    start::runtime()?.block_on(async {
        let listener = start::listen(&args.listen).await?;
        let address = listener.local_addr().map_err(cannot)?;
        let base_url = public_url.unwrap_or_else(|| format!("http://{address}"));
        start::folder(&args.data)?;
        let store = start::open(&args.data, args.database.as_deref())?;
        let clock = sandbox::clock::load(&store).await.map_err(failed)?;
        let entropy = Entropy::System;
        let vault = Vault::new(&master_key(&args.data, &entropy)?).map_err(Problem::Cannot)?;
        let mut site = dialects::Site::sandbox(&base_url);
        site.igivepay.token_key = vault.token_key("igivepay pages");
        let mut app = App::new(Parts {
            store,
            clock,
            entropy,
            outbound: Outbound::new(Policy::open()),
            vault,
            site,
            demo: None,
            delivery,
        });
        let known = sandbox::read(&args.data).map_err(Problem::Cannot)?;
        let fresh = known.is_none();
        let mut credentials = known.unwrap_or_else(|| sandbox::new_credentials(&app));
        credentials.base_url.clone_from(&base_url);
        credentials.portal.url = format!("{base_url}/portal");
        let demo = sandbox::prepare(&app, credentials).await.map_err(failed)?;
        sandbox::write(&args.data, &demo.credentials).map_err(|error| {
            let path = args.data.join(sandbox::FILE);
            Problem::Cannot(format!("cannot write {}: {error}", path.display()))
        })?;
        say(&greeting(&demo.credentials, &args.data, fresh, &app.clock));
        app.sandbox = true;
        app.demo = Some(demo);
        start::serve(Arc::new(app), listener, &args.data).await
    })
}

/// The delivery rules of every scheme, if they all get another time-out.
fn delivery(timeout: Option<&str>) -> Result<BTreeMap<&'static str, DeliveryRules>, String> {
    let Some(text) = timeout else {
        return Ok(BTreeMap::new());
    };
    let timeout = config::span(text).map_err(|error| format!("--webhook-timeout: {error}"))?;
    if timeout.millis() == 0 {
        return Err("--webhook-timeout: a receiver needs more time than none".to_owned());
    }
    let rules = |scheme: Scheme| DeliveryRules {
        timeout,
        ..scheme.delivery()
    };
    let all = Scheme::all();
    Ok(all.map(|scheme| (scheme.name(), rules(scheme))).collect())
}

/// The sandbox's master key: read, or made the first time.
fn master_key(data: &Path, entropy: &Entropy) -> Result<Secret, Problem> {
    let path = data.join(KEY);
    if path.exists() {
        return config::read_key(&path).map_err(Problem::Cannot);
    }
    let key = entropy.token();
    let failed = |error: std::io::Error| {
        Problem::Cannot(format!("cannot write {}: {error}", path.display()))
    };
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    file.write_all(key.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    Ok(Secret::new(key))
}

/// What a newcomer reads first.
fn greeting(credentials: &Credentials, data: &Path, fresh: bool, clock: &Clock) -> String {
    let base = &credentials.base_url;
    let key = &credentials.hitpay.api_key;
    let made = if fresh {
        "new credentials for Demo Shop"
    } else {
        "credentials as before"
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

  Try a payment      {base}/
  API documents      {base}/docs
  Webhook deliveries {base}/sandbox/deliveries
  Health, metrics    {base}/health/ready  {base}/metrics
  Clock              {now} ({ahead})
  Data               {data} ({made} in {data}/sandbox.json)

  HitPay             key  {key}
                     salt {salt}
  Vipps MobilePay    client_id  {client}
                     key        {subscription}
                     MSN        {msn}
                     phone      {base}/sandbox/phone
  Numipay            key  {numipay}
                     signature password {password}

Make a payment request, then open the \"url\" of the answer and pay with 4242 4242 4242 4242:

  curl -sS {base}/v1/payment-requests \\
    -H 'X-BUSINESS-API-KEY: {key}' \\
    -d amount=25.00 -d currency=SGD -d purpose='A pot of tea' -d 'payment_methods[]=card'

{vipps}
Numipay: a deposit on the cashier; open the \"url\" of the answer:

  curl -sS {base}{hosted} \\
    -H 'X-Api-Key: {numipay}' -H 'Content-Type: application/json' \\
    -d '{{\"request\":{{\"user_id\":\"123\",\"tracking_id\":\"first-1\",\
\"currency\":\"EUR\",\"amount\":\"200.00\"}}}}'

{igivepay}
Stop with Ctrl-C; the next start finds everything again.
",
        salt = credentials.hitpay.salt,
        client = credentials.vipps.client_id,
        subscription = credentials.vipps.subscription_key,
        msn = credentials.vipps.merchant_serial_number,
        vipps = vipps_commands(credentials),
        numipay = credentials.numipay.api_key,
        password = credentials.numipay.signature_password,
        hosted = "/gateway/v1/payments/hosted",
        igivepay = igivepay(credentials),
    )
}

/// A first call of iGivePay.
fn igivepay(credentials: &Credentials) -> String {
    let (base, client) = (&credentials.base_url, &credentials.igivepay);
    format!(
        "\
Pay with gift cards: make one at {base}/card-gen, then open the \"url\" of the answer:

  curl -sS {base}/api/v1/payments \\
    -H 'x-client-id: {id}' \\
    -H 'x-client-secret: {secret}' \\
    -d '{{\"paymentTotal\":499,\"reference\":\"order-1001\",\"redirectUrl\":\"{base}/\"}}'
",
        id = client.client_id,
        secret = client.client_secret,
    )
}

/// A first payment with Vipps MobilePay, to be pasted as it stands.
fn vipps_commands(credentials: &Credentials) -> String {
    let base = &credentials.base_url;
    let vipps = &credentials.vipps;
    format!(
        r#"The same with Vipps MobilePay: get a token, then ask for 49.00 NOK on a phone:

  TOKEN=$(curl -sS -X POST {base}/accesstoken/get \
    -H 'client_id: {client}' -H 'client_secret: {secret}' \
    -H 'Ocp-Apim-Subscription-Key: {key}' | sed 's/.*"access_token":"//;s/".*//')

  curl -sS {base}/epayment/v1/payments -H "Authorization: Bearer $TOKEN" \
    -H 'Ocp-Apim-Subscription-Key: {key}' -H 'Merchant-Serial-Number: {msn}' \
    -H "Idempotency-Key: $(date +%s%N)" -H 'Content-Type: application/json' \
    -d '{{"amount":{{"currency":"NOK","value":4900}},"paymentMethod":{{"type":"WALLET"}},
         "customer":{{"phoneNumber":"4791234567"}},"userFlow":"PUSH_MESSAGE",
         "reference":"tea-'$(date +%s%N)'","paymentDescription":"A pot of tea"}}'

Approve it at {base}/sandbox/phone/4791234567
"#,
        client = vipps.client_id,
        secret = vipps.client_secret,
        key = vipps.subscription_key,
        msn = vipps.merchant_serial_number,
    )
}
