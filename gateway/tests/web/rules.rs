//! Rules that every page keeps, whatever it shows.

use std::collections::HashSet;

use askama::Template;
use domain::card::CardProblem;

use crate::html::{Tag, tags};
use crate::stories::{self, checkout, view};

/// Every page with its tags.
fn pages() -> impl Iterator<Item = (&'static str, String, Vec<Tag>)> {
    stories::all().into_iter().map(|(name, page)| {
        let tags = tags(&page).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        (name, page, tags)
    })
}

#[test]
fn nothing_is_inline_and_nothing_is_from_elsewhere() {
    for (name, _, tags) in pages() {
        for tag in &tags {
            for (key, value) in &tag.attributes {
                assert!(!key.starts_with("on") && key != "style", "{name}: {tag:?}");
                assert!(!value.starts_with("javascript:"), "{name}: {tag:?}");
            }
            assert!(
                !["style", "iframe", "img", "base"].contains(&tag.name.as_str()),
                "{name}"
            );
            let loads = match tag.name.as_str() {
                "script" => Some(tag.get("src").expect("no inline script")),
                "link" => tag.get("href"),
                _ => None,
            };
            assert!(
                loads.is_none_or(|a| a.starts_with("/assets/florin.")),
                "{name}: {tag:?}"
            );
        }
    }
}

#[test]
fn ids_are_unique_and_whatever_points_to_one_finds_it() {
    for (name, _, tags) in pages() {
        let ids: Vec<&str> = tags.iter().filter_map(|tag| tag.get("id")).collect();
        let set: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), set.len(), "{name}: an id twice in {ids:?}");
        for tag in &tags {
            for key in ["for", "aria-labelledby", "aria-describedby"] {
                let wanted = tag.get(key).unwrap_or_default().split_whitespace();
                wanted.for_each(|id| assert!(set.contains(id), "{name}: {tag:?}"));
            }
            if let Some(id) = tag.get("href").and_then(|href| href.strip_prefix('#')) {
                assert!(set.contains(id), "{name}: {tag:?}");
            }
        }
    }
}

#[test]
fn every_page_has_its_language_one_heading_and_one_main_part() {
    for (name, page, tags) in pages() {
        let count = |wanted: &str| tags.iter().filter(|tag| tag.name == wanted).count();
        assert_eq!(
            (count("h1"), count("main"), count("title")),
            (1, 1, 1),
            "{name}"
        );
        assert!(page.contains("<html lang=\"en\" dir=\"ltr\">"), "{name}");
        let titles = page.split("<title>").nth(1).unwrap();
        assert!(!titles.starts_with("</title>"), "{name}: an empty title");
        assert!(page.len() < 40_000, "{name}: {} bytes", page.len());
    }
}

#[test]
fn every_input_has_a_label_and_every_button_says_what_it_sends() {
    for (name, _, tags) in pages() {
        for tag in tags.iter().filter(|tag| tag.name == "input") {
            if tag.get("type") == Some("hidden") {
                continue;
            }
            let id = tag.get("id").expect("an id");
            let labelled = tags
                .iter()
                .any(|t| t.name == "label" && t.get("for") == Some(id));
            assert!(
                labelled && tag.get("placeholder").is_none(),
                "{name}: {tag:?}"
            );
        }
        for tag in tags.iter().filter(|tag| tag.name == "button") {
            let known = match tag.get("name") {
                Some("action") => [
                    "pay",
                    "cancel",
                    "choose",
                    "continue",
                    "add-card",
                    "remove-card",
                ]
                .as_slice(),
                Some("outcome") => ["approve", "decline", "abort", "expire", "leave"].as_slice(),
                _ => [].as_slice(),
            };
            assert!(
                known.contains(&tag.get("value").unwrap_or_default()),
                "{name}: {tag:?}"
            );
        }
        for tag in tags.iter().filter(|tag| tag.name == "form") {
            // A filter only looks; everything else does something.
            let looks = tag.get("role") == Some("search");
            let wanted = if looks { "get" } else { "post" };
            assert_eq!(tag.get("method"), Some(wanted), "{name}");
            assert!(
                tag.get("action").is_some_and(|a| a.starts_with('/')),
                "{name}: {tag:?}"
            );
        }
    }
}

#[test]
fn what_a_merchant_typed_is_never_markup() {
    for (name, page, tags) in pages().filter(|(name, ..)| name.ends_with("hostile")) {
        assert!(
            !page.contains("<script>") && !page.contains("<img"),
            "{name}"
        );
        assert!(
            page.contains("&#60;script&#62;alert(1)"),
            "{name}: shown as text"
        );
        assert_eq!(
            tags.iter().filter(|tag| tag.name == "script").count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn a_card_number_or_code_is_never_shown_again() {
    let view = view();
    let all = [
        CardProblem::NumberInvalid,
        CardProblem::ExpiryInvalid,
        CardProblem::CodeInvalid,
    ];
    // A payer may well type the number into the wrong field.
    let page = checkout(&view)
        .mend(&all, "4242424242424241", "4242 4242 4242 4241")
        .render();
    let page = page.unwrap();
    assert!(!page.contains("4242"), "the number came back");
    for tag in tags(&page).unwrap() {
        if ["number", "code"].contains(&tag.get("name").unwrap_or_default()) {
            assert_eq!(tag.get("value"), None, "{tag:?}");
        }
    }
}

#[test]
fn the_card_form_has_the_names_that_browsers_and_clients_know() {
    let page = checkout(&view()).open(None).render().unwrap();
    let tags = tags(&page).unwrap();
    for (field, token) in [
        ("number", "cc-number"),
        ("expiry", "cc-exp"),
        ("code", "cc-csc"),
        ("name", "cc-name"),
    ] {
        let input = tags.iter().find(|t| t.get("name") == Some(field)).unwrap();
        assert_eq!(input.get("autocomplete"), Some(token));
    }
    assert!(
        page.contains("Pay SGD\u{a0}25.00</button>"),
        "the button says the amount"
    );
}

#[test]
fn problems_are_said_at_the_field_and_in_a_summary_that_takes_the_focus() {
    let page = checkout(&view())
        .mend(&[CardProblem::ExpiryPast], "10/26", "Kim")
        .render()
        .unwrap();
    let tags = tags(&page).unwrap();
    let alert = tags
        .iter()
        .find(|tag| tag.get("role") == Some("alert"))
        .unwrap();
    assert_eq!(
        (alert.get("tabindex"), alert.get("autofocus")),
        (Some("-1"), Some(""))
    );
    assert!(tags.iter().any(|tag| tag.get("href") == Some("#expiry")));
    let wrong: Vec<_> = tags
        .iter()
        .filter(|t| t.get("aria-invalid").is_some())
        .collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].get("value"), Some("10/26"), "what was typed stays");
}

#[test]
fn test_mode_is_marked_and_live_is_not() {
    let mut live = view();
    live.bill.head.mode = domain::Mode::Live;
    let ribbon = |page: String| page.contains("class=\"ribbon\"");
    assert!(ribbon(checkout(&view()).open(None).render().unwrap()));
    assert!(!ribbon(checkout(&live).open(None).render().unwrap()));
}

#[test]
fn the_stylesheet_and_the_script_keep_their_size() {
    assert!(gateway::web::assets::STYLE.bytes().len() <= 15 * 1024);
    assert!(gateway::web::assets::SCRIPT.bytes().len() <= 10 * 1024);
}
