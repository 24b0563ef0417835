//! What an Express payment offers for delivery: options alone or in groups, one of which the payer
//! chooses before saying yes. Its price is added to what the payer pays.

use domain::{Bill, Currency, FieldProblem, Money, Refusal};
use serde_json::{Map, Value as Json, json};

use crate::{CHOSEN, Choice};

/// The options of a payment, the usual one first: the default of the default group, or else the
/// one with the lowest `priority`, or else the first.
pub fn choices(bill: &Bill) -> Vec<Choice> {
    let currency = bill.ask.amount.currency();
    let mut ranked: Vec<(Rank, Choice)> = options(&bill.ask.extras)
        .into_iter()
        .filter_map(|option| Some((option.rank(), option.choice(currency)?)))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, choice)| choice).collect()
}

/// What the payer chose, as Get and the webhook show it: the address, the option as the merchant
/// wrote it, and its price in minor units.
pub fn details(bill: &Bill, address: Json) -> Option<Json> {
    let chosen = bill.ask.extras.get(CHOSEN).and_then(Json::as_str)?;
    let choice = choices(bill).into_iter().find(|one| one.id == chosen)?;
    let options = options(&bill.ask.extras);
    let option = options.iter().find(|option| option.id() == chosen)?;
    Some(json!({
        "address": address,
        "shippingCost": choice.price.minor(),
        "shippingOptionId": chosen,
        "shippingOption": option.own,
    }))
}

/// Refuses options that nobody could choose.
pub fn check(extras: &Map<String, Json>, currency: Currency) -> Result<(), Refusal> {
    let mut problems = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for option in options(extras) {
        let id = option.id();
        let mut wrong = |message: String| {
            problems.push(FieldProblem {
                field: "shipping.fixedOptions".to_owned(),
                message,
            });
        };
        if id.is_empty() {
            wrong("The Id field of an option is required.".to_owned());
        } else if !seen.insert(id) {
            wrong(format!("The option {id} comes more than once."));
        }
        if option.choice(currency).is_none() {
            wrong(format!(
                "The amount of the option {id} must be whole minor units in {}.",
                currency.code()
            ));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Invalid(problems))
    }
}

/// Is it no default, its group no default, and how late does it stand?
type Rank = (bool, bool, i64);

/// One option, with its group if it has one.
struct Offered<'a> {
    group: Option<&'a Json>,
    own: &'a Json,
}

fn options(extras: &Map<String, Json>) -> Vec<Offered<'_>> {
    let fixed = extras
        .get("shipping")
        .and_then(|shipping| shipping.get("fixedOptions"));
    let mut all = Vec::new();
    for one in fixed.and_then(Json::as_array).into_iter().flatten() {
        match one.get("options").and_then(Json::as_array) {
            Some(inner) => all.extend(inner.iter().map(|own| Offered {
                group: Some(one),
                own,
            })),
            None => all.push(Offered {
                group: None,
                own: one,
            }),
        }
    }
    all
}

impl<'a> Offered<'a> {
    fn id(&self) -> &'a str {
        self.own
            .get("id")
            .and_then(Json::as_str)
            .unwrap_or_default()
    }

    fn rank(&self) -> Rank {
        let usual = |value: &Json| value.get("isDefault") == Some(&Json::Bool(true));
        let priority = self.own.get("priority").and_then(Json::as_i64);
        (
            !self.group.is_none_or(usual),
            !usual(self.own),
            priority.unwrap_or(i64::MAX),
        )
    }

    /// For people and for the sums; nothing if its price cannot be paid.
    fn choice(&self, currency: Currency) -> Option<Choice> {
        let text = |value: &Json, name: &str| {
            let text = value.get(name).and_then(Json::as_str)?;
            (!text.trim().is_empty()).then(|| text.to_owned())
        };
        let minor = match self.own.get("amount") {
            None | Some(Json::Null) => 0,
            Some(amount) if amount.get("currency")?.as_str()? == currency.code() => {
                amount.get("value")?.as_i64().filter(|minor| *minor >= 0)?
            }
            Some(_) => return None,
        };
        let brand = self.group.or(Some(self.own));
        let name = ["name", "title"]
            .iter()
            .find_map(|name| text(self.own, name));
        let name = name.or_else(|| brand.and_then(|of| text(of, "brand")));
        Some(Choice {
            id: self.id().to_owned(),
            name: name.unwrap_or_else(|| self.id().to_owned()),
            price: Money::from_minor(minor, currency).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(shipping: Json) -> Vec<String> {
        let extras = Map::from_iter([("shipping".to_owned(), shipping)]);
        let mut ranked: Vec<(Rank, String)> = options(&extras)
            .iter()
            .map(|option| (option.rank(), option.id().to_owned()))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn the_usual_option_comes_first() {
        let flat = json!({"fixedOptions": [
            {"id": "c", "priority": 2}, {"id": "b", "priority": 1}, {"id": "a", "isDefault": true},
        ]});
        assert_eq!(ids(flat), ["a", "b", "c"]);
        let order = json!({"fixedOptions": [{"id": "x"}, {"id": "a"}]});
        assert_eq!(ids(order), ["x", "a"], "as they stand");
        let groups = json!({"fixedOptions": [
            {"options": [{"id": "d", "isDefault": true}]},
            {"isDefault": true, "options": [{"id": "e"}, {"id": "f", "isDefault": true}]},
        ]});
        assert_eq!(ids(groups), ["f", "e", "d"]);
        for none in [
            json!({}),
            json!({"dynamicOptions": {}}),
            json!({"fixedOptions": 1}),
        ] {
            assert_eq!(ids(none), Vec::<String>::new());
        }
    }

    #[test]
    fn a_choice_has_a_name_for_people_and_a_price_in_the_payments_currency() {
        let nok = Currency::parse_exact("NOK").unwrap();
        let choice = |own: Json, group: Option<Json>| {
            let offered = Offered {
                group: group.as_ref(),
                own: &own,
            };
            let choice = offered.choice(nok)?;
            Some((choice.name, choice.price.minor()))
        };
        let group = Some(json!({"brand": "POSTEN"}));
        let price = |currency: &str, value: Json| json!({"currency": currency, "value": value});
        let named = json!({"id": "a", "name": "Home", "amount": price("NOK", json!(5))});
        assert_eq!(choice(named, group.clone()), Some(("Home".to_owned(), 5)));
        let blank = json!({"id": "a", "name": " "});
        assert_eq!(choice(blank.clone(), group), Some(("POSTEN".to_owned(), 0)));
        assert_eq!(choice(blank, None), Some(("a".to_owned(), 0)));
        for wrong in [
            price("EUR", json!(1)),
            price("NOK", json!(-1)),
            price("NOK", json!("1")),
            json!({"currency": "NOK"}),
            json!(5),
        ] {
            assert_eq!(choice(json!({"id": "a", "amount": wrong}), None), None);
        }
    }
}
