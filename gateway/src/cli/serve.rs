//! `florin serve`: production, without any part of the sandbox.

use std::sync::Arc;

use super::{ConfigArgs, Problem, start};
use crate::app::{App, Parts};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::entropy::Entropy;
use crate::logs;
use crate::outbound::{Outbound, check_url};
use crate::vault::Vault;

pub(super) fn run(args: &ConfigArgs) -> Result<(), Problem> {
    let config = Config::read(&args.config).map_err(Problem::Usage)?;
    logs::start(config.log_format, config.log_level);
    crate::http::health::count();
    start::runtime()?.block_on(async {
        let listener = start::listen(&config.listen).await?;
        let app = app(&config)?;
        start::same_key(&app).await?;
        tracing::info!(
            listen = config.listen,
            public_url = app.site.public_url,
            "florin {} serves",
            env!("CARGO_PKG_VERSION")
        );
        start::serve(Arc::new(app), listener, &config.data).await
    })
}

/// The gateway that a configuration describes.
pub(super) fn app(config: &Config) -> Result<App, Problem> {
    let key = config.master_key().map_err(Problem::Usage)?;
    let vault = Vault::new(&key).map_err(Problem::Usage)?;
    let policy = config.policy().map_err(Problem::Usage)?;
    let judge = policy.clone();
    let token_key = vault.token_key("igivepay pages");
    let public_url = config::public_url(&config.public_url).map_err(Problem::Usage)?;
    start::folder(&config.data)?;
    let mut site = dialects::Site::sandbox(&public_url);
    site.insecure_targets = config.allow_insecure_targets;
    site.targets = dialects::Targets::new(move |url| check_url(url, &judge));
    config
        .settle(&mut site, token_key)
        .map_err(Problem::Usage)?;
    let mut app = App::new(Parts {
        store: start::open(&config.data, config.database.as_deref())?,
        clock: Clock::System,
        entropy: Entropy::System,
        outbound: Outbound::new(policy),
        vault,
        site,
        demo: None,
        delivery: config.delivery().map_err(Problem::Usage)?,
    });
    app.routes = config.routes().map_err(Problem::Usage)?;
    app.proxies = config.proxies().map_err(Problem::Usage)?;
    app.kept = config.retention.kept().map_err(Problem::Usage)?;
    Ok(app)
}
