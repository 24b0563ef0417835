//! Every state of every page with made-up data: snapshots, and rules that all pages keep.
//!
//! To look at the pages, set `FLORIN_STORYBOOK` to a folder: the pages are written there as files,
//! with the stylesheet beside them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cashier_stories;
mod gift_stories;
mod html;
mod phone_stories;
mod rules;
mod stories;
mod words;

/// Each page as it was when somebody last looked at it and approved.
#[test]
fn every_page_looks_as_approved() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, page) in stories::all() {
            insta::assert_snapshot!(name, steady(&page));
        }
    });
}

/// Without the digests in the addresses of assets, which change with every change of the look.
fn steady(page: &str) -> String {
    let mut parts = page.split("?v=");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("?v=…");
        text.push_str(part.get(16..).unwrap_or_default());
    }
    text
}

#[test]
fn the_storybook_is_written_on_demand() {
    let Ok(folder) = std::env::var("FLORIN_STORYBOOK") else {
        return;
    };
    let folder = std::path::Path::new(&folder);
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    for asset in ["florin.css", "florin.js", "florin.svg"] {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("static")
            .join(asset);
        std::fs::copy(source, folder.join("assets").join(asset)).unwrap();
    }
    for (name, page) in stories::all() {
        std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
    }
}
