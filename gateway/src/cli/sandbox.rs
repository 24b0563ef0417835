//! `florin sandbox`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use domain::Secret;
use domain::delivery::DeliveryRules;

use super::greeting::greeting;
use super::{Problem, SandboxArgs, cannot, failed, say, start};
use crate::app::{App, Parts};
use crate::entropy::Entropy;
use crate::outbound::{Outbound, Policy};
use crate::sandbox;
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
        start::same_key(&app).await?;
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
