//! `florin sandbox`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::Secret;
use domain::delivery::DeliveryRules;

use super::greeting::greeting;
use super::{Problem, SandboxArgs, cannot, failed, say, start};
use crate::app::{App, Parts};
use crate::config::Config;
use crate::config::sandbox::ForSandbox;
use crate::entropy::Entropy;
use crate::logs::{Format, Verbosity};
use crate::outbound::{Outbound, Policy};
use crate::sandbox;
use crate::schemes::Scheme;
use crate::vault::Vault;
use crate::{config, logs};

/// The sandbox's own master key, inside the data folder.
const KEY: &str = "master.key";

/// Where it listens unless somebody says otherwise.
const LISTEN: &str = "127.0.0.1:8080";

/// The data folder unless somebody says otherwise.
const DATA: &str = "./florin-data";

/// What the options and the file come to; an option counts before the file.
struct Settled {
    listen: String,
    data: PathBuf,
    database: Option<String>,
    public_url: Option<String>,
    config: Config,
    delivery: BTreeMap<&'static str, DeliveryRules>,
}

fn settle(args: &SandboxArgs) -> Result<Settled, String> {
    let file = ForSandbox::read(args.config.as_deref())?;
    let format = args.log_format.or(file.log_format).unwrap_or(Format::Text);
    logs::start(
        format,
        args.log_level.or(file.log_level).unwrap_or(Verbosity::Info),
    );
    let public_url = args.public_url.clone().or(file.public_url);
    let listen = args.listen.clone().or(file.listen);
    let data = args.data.clone().or(file.data);
    Ok(Settled {
        listen: listen.unwrap_or_else(|| LISTEN.to_owned()),
        data: data.unwrap_or_else(|| PathBuf::from(DATA)),
        database: args.database.clone().or(file.database),
        public_url: public_url.as_deref().map(config::public_url).transpose()?,
        delivery: delivery(&file.config, args.webhook_timeout.as_deref())?,
        config: file.config,
    })
}

pub(super) fn run(args: &SandboxArgs) -> Result<(), Problem> {
    let args = settle(args).map_err(Problem::Usage)?;
    crate::http::health::count();
    start::runtime()?.block_on(async {
        let listener = start::listen(&args.listen).await?;
        let address = listener.local_addr().map_err(cannot)?;
        let base_url = args
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{address}"));
        start::folder(&args.data)?;
        let store = start::open(&args.data, args.database.as_deref())?;
        let clock = sandbox::clock::load(&store).await.map_err(failed)?;
        let entropy = Entropy::System;
        let vault = Vault::new(&master_key(&args.data, &entropy)?).map_err(Problem::Cannot)?;
        let mut site = dialects::Site::sandbox(&base_url);
        let token_key = vault.token_key("igivepay pages");
        args.config
            .settle(&mut site, token_key)
            .map_err(Problem::Usage)?;
        let mut app = App::new(Parts {
            store,
            clock,
            entropy,
            outbound: Outbound::new(Policy::open()),
            vault,
            site,
            demo: None,
            delivery: args.delivery,
        });
        start::same_key(&app)
            .await
            .map_err(|problem| match problem {
                Problem::Cannot(why) if app.store.takes_many_nodes() => {
                    let path = args.data.join(KEY);
                    Problem::Cannot(format!(
                        "{why}; put that of the first sandbox into {}",
                        path.display()
                    ))
                }
                other => other,
            })?;
        app.routes = args.config.routes().map_err(Problem::Usage)?;
        app.proxies = args.config.proxies().map_err(Problem::Usage)?;
        app.kept = args.config.retention.kept().map_err(Problem::Usage)?;
        let known = sandbox::read(&args.data).map_err(Problem::Cannot)?;
        let settled = sandbox::settle(&app, known).await;
        let (mut credentials, origin) = settled.map_err(failed)?;
        credentials.base_url.clone_from(&base_url);
        credentials.portal.url = format!("{base_url}/portal");
        let demo = sandbox::prepare(&app, credentials).await.map_err(failed)?;
        sandbox::write(&args.data, &demo.credentials).map_err(|error| {
            let path = args.data.join(sandbox::FILE);
            Problem::Cannot(format!("cannot write {}: {error}", path.display()))
        })?;
        say(&greeting(&demo.credentials, &args.data, origin, &app.clock));
        app.sandbox = true;
        app.demo = Some(demo);
        start::serve(Arc::new(app), listener, &args.data).await
    })
}

/// The delivery rules that the file changes; with `--webhook-timeout` those of every scheme.
fn delivery(
    config: &Config,
    timeout: Option<&str>,
) -> Result<BTreeMap<&'static str, DeliveryRules>, String> {
    let mut changed = config.delivery()?;
    let Some(text) = timeout else {
        return Ok(changed);
    };
    let timeout = config::span(text).map_err(|error| format!("--webhook-timeout: {error}"))?;
    if timeout.millis() == 0 {
        return Err("--webhook-timeout: a receiver needs more time than none".to_owned());
    }
    for scheme in Scheme::all() {
        let rules = changed.entry(scheme.name());
        rules.or_insert_with(|| scheme.delivery()).timeout = timeout;
    }
    Ok(changed)
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
