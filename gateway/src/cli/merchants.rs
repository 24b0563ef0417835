//! `florin merchants`.

use std::fmt::Write;

use domain::{Caller, Currency, Mode, Secret};

use super::{AddArgs, ConfigArgs, Problem, failed, say, serve, start};
use crate::app::App;
use crate::config::Config;
use crate::operations::endpoints::Who;
use crate::operations::keys::{self, Wanted};
use crate::operations::{accounts, merchants};

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
    let (merchant, key, salt, numipay, vipps, igive) = start::runtime()?.block_on(async {
        start::same_key(&app).await?;
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
        let numipay = numipay(&app, &caller).await.map_err(failed)?;
        let vipps = accounts::create(&app, &dialects::vipps::Vipps, &caller)
            .await
            .map_err(failed)?;
        let igive = merchants::new_client(&app, "igivepay", &caller).await;
        let igive = igive.map_err(failed)?;
        Ok((merchant, key, salt, numipay, vipps, igive))
    })?;
    app.store.close();
    say(&format!(
        "{} ({}), {} mode\n{}\nThey are not shown again.",
        merchant.name,
        merchant.slug,
        mode.as_str(),
        [
            line("HitPay key", key.expose()),
            line("HitPay salt", salt.expose()),
            line("Numipay API key", numipay.0.expose()),
            line("Numipay signature password", numipay.1.expose()),
            vipps_lines(&vipps),
            line("iGivePay x-client-id", &igive.0),
            line("iGivePay x-client-secret", igive.1.expose()),
        ]
        .join("\n"),
    ));
    if mode == Mode::Live {
        say("Note: there is no upstream provider yet; live payment requests cannot be paid.");
    }
    Ok(())
}

/// A credential under its name.
fn line(name: &str, value: &str) -> String {
    format!("  {name:<30} {value}")
}

/// Numipay's API key and signature password.
async fn numipay(app: &App, caller: &Caller) -> Result<(Secret, Secret), store::Failure> {
    let (name, mode) = (dialects::numipay::NAME, caller.mode);
    let who = Who {
        caller,
        actor: "operator",
    };
    let wanted = Wanted {
        dialect: name.to_owned(),
        prefix: dialects::numipay::key_prefix(mode).to_owned(),
        label: None,
        expires: None,
    };
    let key = keys::make(app, &who, wanted).await?;
    let (company, chance) = (&caller.merchant.slug, app.entropy.token());
    let password = dialects::numipay::signature_password(mode, company, &chance);
    let password = Secret::new(password);
    merchants::put_salt(app, name, caller, &password).await?;
    Ok((key, password))
}

/// The credentials of an account, a line each.
fn vipps_lines(account: &accounts::Account) -> String {
    let mut lines = format!(
        "  Vipps MobilePay client_id      {}\n  Vipps MobilePay client_secret  {}",
        account.id,
        account.secret.expose()
    );
    for key in &account.keys {
        let _ = write!(lines, "\n  Vipps MobilePay key            {}", key.expose());
    }
    let _ = write!(
        lines,
        "\n  Vipps MobilePay MSN            {}",
        account.number
    );
    lines
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
