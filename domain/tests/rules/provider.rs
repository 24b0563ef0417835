//! Provider rules: which providers are offered, and in what order.

use domain::provider::{
    Bounds, Direction, PaymentSettings, Provider, ProviderKind, ProviderRule, Question,
};
use domain::{Mode, Money};

use crate::samples::currency;

fn provider(id: &str, directions: &[Direction]) -> Provider {
    Provider {
        id: id.to_owned(),
        name: id.to_owned(),
        kind: ProviderKind::Bank,
        directions: directions.to_vec(),
        methods: Vec::new(),
        currencies: Vec::new(),
        limits: Vec::new(),
        enabled: true,
        down: false,
    }
}

fn rule(provider: &str, weight: u32) -> ProviderRule {
    ProviderRule {
        provider: provider.to_owned(),
        direction: None,
        countries: Vec::new(),
        currencies: Vec::new(),
        amounts: Vec::new(),
        weight,
        fallback_for: None,
    }
}

fn bounds(code: &str, least: Option<&str>, most: Option<&str>) -> Bounds {
    Bounds {
        currency: currency(code),
        least: least.map(str::to_owned),
        most: most.map(str::to_owned),
    }
}

fn euros(text: &str) -> Money {
    Money::parse(text, currency("EUR")).unwrap()
}

fn question(amount: Money, country: Option<&str>) -> Question<'_> {
    Question {
        direction: Direction::Deposit,
        country,
        amount,
    }
}

fn ids(settings: &PaymentSettings, question: &Question<'_>) -> Vec<String> {
    let offered = settings.offered(question).into_iter();
    offered.map(|provider| provider.id.clone()).collect()
}

fn three() -> PaymentSettings {
    let both = [Direction::Deposit, Direction::Withdrawal];
    PaymentSettings {
        providers: ["a", "b", "c"].map(|id| provider(id, &both)).to_vec(),
        ..PaymentSettings::default()
    }
}

#[test]
fn without_rules_every_provider_that_suits_in_the_order_of_the_list() {
    let mut settings = three();
    let ask = question(euros("10.00"), None);
    assert_eq!(ids(&settings, &ask), ["a", "b", "c"]);
    settings.providers[0].enabled = false;
    settings.providers[1].directions = vec![Direction::Withdrawal];
    assert_eq!(ids(&settings, &ask), ["c"]);
    settings.providers[2].currencies = vec![currency("USD")];
    assert_eq!(ids(&settings, &ask), Vec::<String>::new());
    let usual = PaymentSettings::usual(Mode::Test);
    assert_eq!(ids(&usual, &ask), ["sim-card", "sim-wallet", "sim-bank"]);
    let out = Question {
        direction: Direction::Withdrawal,
        ..ask
    };
    assert_eq!(ids(&usual, &out), ["sim-bank"]);
    let live = PaymentSettings::usual(Mode::Live);
    assert!(ids(&live, &ask).is_empty(), "no simulator for live");
}

#[test]
fn limits_of_a_provider_hold_in_their_currency_both_ends_included() {
    let mut settings = three();
    settings.providers.truncate(1);
    settings.providers[0].limits = vec![bounds("EUR", Some("10.00"), Some("20.00"))];
    for (amount, offered) in [
        ("9.99", false),
        ("10.00", true),
        ("20.00", true),
        ("20.01", false),
    ] {
        let found = ids(&settings, &question(euros(amount), None));
        assert_eq!(found.len() == 1, offered, "{amount}");
    }
    let dollars = Money::parse("5000", currency("USD")).unwrap();
    assert_eq!(ids(&settings, &question(dollars, None)), ["a"]);
}

#[test]
fn rules_choose_by_country_currency_amount_and_direction() {
    let mut settings = three();
    settings.rules = vec![
        ProviderRule {
            countries: vec!["CO".to_owned(), "pe".to_owned()],
            ..rule("a", 1)
        },
        ProviderRule {
            amounts: vec![bounds("EUR", Some("100.00"), None)],
            ..rule("b", 5)
        },
        ProviderRule {
            direction: Some(Direction::Withdrawal),
            ..rule("c", 9)
        },
    ];
    let find = |amount: &str, country| ids(&settings, &question(euros(amount), country));
    assert_eq!(find("10.00", Some("CO")), ["a"]);
    assert_eq!(find("10.00", Some("PE")), ["a"], "any letter case");
    assert_eq!(find("100.00", Some("CO")), ["b", "a"], "the heavier first");
    assert!(
        find("10.00", None).is_empty(),
        "an unknown country is no country"
    );
    let out = Question {
        direction: Direction::Withdrawal,
        ..question(euros("10.00"), None)
    };
    assert_eq!(ids(&settings, &out), ["c"]);
    settings.rules[1].currencies = vec![currency("USD")];
    let heavy = question(euros("100.00"), Some("CO"));
    assert_eq!(ids(&settings, &heavy), ["a"]);
}

#[test]
fn of_equal_weight_the_first_rule_wins_and_nobody_is_offered_twice() {
    let mut settings = three();
    settings.rules = vec![rule("c", 1), rule("a", 1), rule("c", 1), rule("b", 2)];
    assert_eq!(ids(&settings, &question(euros("1"), None)), ["b", "c", "a"]);
}

#[test]
fn a_fallback_stands_in_while_the_first_is_down() {
    let mut settings = three();
    settings.rules = vec![
        rule("a", 5),
        ProviderRule {
            fallback_for: Some("a".to_owned()),
            ..rule("b", 1)
        },
    ];
    let ask = question(euros("1"), None);
    assert_eq!(ids(&settings, &ask), ["a"]);
    settings.providers[0].down = true;
    assert_eq!(ids(&settings, &ask), ["b"]);
    let allowed = settings.allowed(&ask);
    assert_eq!(allowed.len(), 2, "either may be used later");
}

/// What is said of settings that a change made wrong.
fn wrong(change: &dyn Fn(&mut PaymentSettings)) -> String {
    let mut settings = three();
    change(&mut settings);
    settings.problem().unwrap()
}

#[test]
fn what_is_wrong_with_settings_is_told() {
    assert_eq!(PaymentSettings::usual(Mode::Test).problem(), None);
    for (problem, part) in [
        (
            wrong(&|s| s.providers[0].id = "A b".to_owned()),
            "lower-case",
        ),
        (wrong(&|s| s.providers[1].id = "a".to_owned()), "twice"),
        (wrong(&|s| s.providers[0].name = " ".to_owned()), "name"),
        (wrong(&|s| s.providers[0].directions.clear()), "direction"),
        (
            wrong(&|s| s.providers[0].limits = vec![bounds("EUR", Some("1,0"), None)]),
            "limit",
        ),
        (wrong(&|s| s.rules = vec![rule("nobody", 0)]), "nobody"),
        (
            wrong(&|s| {
                s.rules = vec![ProviderRule {
                    fallback_for: Some("nobody".to_owned()),
                    ..rule("a", 0)
                }];
            }),
            "nobody",
        ),
        (
            wrong(&|s| s.alone_up_to = vec![bounds("EUR", None, Some("x"))]),
            "alone_up_to",
        ),
        (wrong(&|s| s.rules = vec![rule("a", 0); 201]), "200"),
        (
            wrong(&|s| s.providers[1].methods = vec![" ".to_owned()]),
            "provider \"b\": a method",
        ),
        (
            wrong(&|s| s.providers[0].limits = vec![bounds("EUR", Some("2"), Some("1.99"))]),
            "provider \"a\": limits: least",
        ),
    ] {
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn what_is_wrong_with_rules_is_told() {
    for (problem, part) in [
        (
            wrong(&|s| {
                s.rules = vec![ProviderRule {
                    amounts: vec![bounds("EUR", Some("2"), Some("1"))],
                    ..rule("a", 0)
                }];
            }),
            "a rule of \"a\": amounts: least",
        ),
        (
            wrong(&|s| s.alone_up_to = vec![bounds("EUR", Some("2"), Some("1"))]),
            "alone_up_to: least",
        ),
        (
            wrong(&|s| {
                s.rules = vec![ProviderRule {
                    fallback_for: Some("a".to_owned()),
                    ..rule("a", 0)
                }];
            }),
            "itself",
        ),
        (
            wrong(&|s| {
                s.rules = vec![ProviderRule {
                    countries: vec!["co".to_owned(), "Colombia".to_owned()],
                    ..rule("a", 0)
                }];
            }),
            "a rule of \"a\": countries: \"Colombia\"",
        ),
    ] {
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn the_limit_of_one_person_is_that_of_the_currency() {
    let settings = PaymentSettings {
        alone_up_to: vec![bounds("EUR", None, Some("1000.00"))],
        ..three()
    };
    assert_eq!(settings.alone_up_to(euros("5.00")), Some(euros("1000.00")));
    let dollars = Money::parse("5", currency("USD")).unwrap();
    assert_eq!(settings.alone_up_to(dollars), None);
}

#[test]
fn settings_are_read_as_people_write_them() {
    let text = r#"{
        "cards_in_calls": true,
        "alone_up_to": [{"currency": "EUR", "most": "1000.00"}],
        "providers": [{"id": "bank", "name": "Bank", "kind": "bank", "directions": ["deposit"]}],
        "rules": [{"provider": "bank", "countries": ["CO"], "weight": 3}]
    }"#;
    let settings: PaymentSettings = serde_json::from_str(text).unwrap();
    assert!(settings.payout_user_step && settings.providers[0].enabled);
    assert_eq!(settings.problem(), None);
    let again = serde_json::to_string(&settings).unwrap();
    assert_eq!(
        serde_json::from_str::<PaymentSettings>(&again).unwrap(),
        settings
    );
    for wrong in [r#"{"colour": 1}"#, r#"{"providers": [{"id": "x"}]}"#] {
        assert!(serde_json::from_str::<PaymentSettings>(wrong).is_err());
    }
}
