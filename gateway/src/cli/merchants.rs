//! `florin merchants`.

use domain::{Caller, Currency, Mode};

use super::{AddArgs, ConfigArgs, Problem, failed, say, serve, start};
use crate::config::Config;
use crate::operations::merchants;

/// The longest name that fits the pages.
const NAME_MAX: usize = 100;

pub(super) fn add(args: &AddArgs) -> Result<(), Problem> {
    let config = Config::read(&args.config).map_err(Problem::Usage)?;
    let mode = Mode::parse(&args.mode)
        .ok_or_else(|| Problem::Usage(format!("--mode is test or live, not {:?}", args.mode)))?;
    let currency = Currency::parse(&args.currency).map_err(|_| {
        Problem::Usage(format!(
            "--currency {:?} is no ISO 4217 code like SGD",
            args.currency
        ))
    })?;
    let name = args.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(Problem::Usage(format!(
            "--name has 1 to {NAME_MAX} characters"
        )));
    }
    let app = serve::app(&config)?;
    let (merchant, key, salt) = start::runtime()?.block_on(async {
        let merchant = merchants::add(&app, name, currency, mode)
            .await
            .map_err(failed)?;
        let caller = Caller {
            merchant: merchant.clone(),
            mode,
        };
        let key = merchants::new_key(&app, "hitpay", &caller, false)
            .await
            .map_err(failed)?;
        let salt = merchants::new_salt(&app, "hitpay", &caller)
            .await
            .map_err(failed)?;
        Ok((merchant, key, salt))
    })?;
    app.store.close();
    say(&format!(
        "{} ({}), {} mode\n  HitPay key   {}\n  HitPay salt  {}\nThey are not shown again.",
        merchant.name,
        merchant.slug,
        mode.as_str(),
        key.expose(),
        salt.expose()
    ));
    if mode == Mode::Live {
        say("Note: there is no upstream provider yet; live payment requests cannot be paid.");
    }
    Ok(())
}

pub(super) fn list(args: &ConfigArgs) -> Result<(), Problem> {
    let config = Config::read(&args.config).map_err(Problem::Usage)?;
    let store = start::open_read_only(&config.data, config.database.as_deref())?;
    let all = start::runtime()?.block_on(async {
        let all = store.read("all_merchants", |tx| Ok(store::tables::merchants::all(tx)?));
        all.await.map_err(failed)
    })?;
    for merchant in all {
        say(&format!(
            "{}  {}  {}",
            merchant.id, merchant.slug, merchant.name
        ));
    }
    store.close();
    Ok(())
}
