//! Parts that several pages share: the head, the summary of a bill, links, icons of a state.

use domain::bill::Bill;
use domain::{BillView, Mode};

use super::assets;
use super::display::{self, When};
use super::shell::web_address;
use super::words::{Text, Words};

/// What the frame of a page needs.
#[derive(Clone, Debug)]
pub struct Head {
    /// The title of the tab.
    pub title: String,
    /// Shows the ribbon of test mode?
    pub test: bool,
    /// Shows the navigation of the sandbox?
    pub sandbox: bool,
    /// The address of the stylesheet.
    pub style: &'static str,
    /// The address of the script.
    pub script: &'static str,
    /// The address of the icon.
    pub icon: &'static str,
}

impl Head {
    /// Of a page that a payer sees.
    pub fn payer(title: impl ToString, test: bool) -> Self {
        Self {
            title: title.to_string(),
            test,
            sandbox: false,
            style: assets::STYLE.address(),
            script: assets::SCRIPT.address(),
            icon: assets::ICON.address(),
        }
    }

    /// Of a page for the developer.
    pub fn developer(title: impl ToString) -> Self {
        Self {
            sandbox: true,
            ..Self::payer(title, false)
        }
    }
}

/// What is being paid, in sight at every step.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What it is a summary of.
    pub label: Text,
    /// The merchant's name, as typed by the merchant.
    pub merchant: String,
    /// How much.
    pub amount: String,
    /// What for, as typed by the merchant.
    pub purpose: Option<String>,
    /// The merchant's reference.
    pub reference: Option<String>,
    /// Until when.
    pub expires: Option<When>,
}

impl Summary {
    /// Of a bill.
    pub fn new(w: &Words, view: &BillView) -> Self {
        let ask = &view.bill.ask;
        Self {
            label: w.summary_label,
            merchant: view.merchant.name.clone(),
            amount: display::amount(ask.amount),
            purpose: filled(&ask.purpose),
            reference: filled(&ask.reference),
            expires: ask.expires.map(|at| When::new(w, at)),
        }
    }

    /// Without the time to pay by, for a bill that cannot be paid any more.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.expires = None;
        self
    }
}

/// A text that somebody typed, if there is more to it than blanks.
fn filled(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.trim().is_empty())
}

/// Does this bill belong to test mode?
pub fn is_test(bill: &Bill) -> bool {
    bill.head.mode == Mode::Test
}

/// A link in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where to.
    pub href: String,
    /// In words.
    pub text: String,
    /// Is it what most people want next?
    pub main: bool,
}

impl Link {
    /// A link to one of our own pages.
    pub fn ours(href: impl Into<String>, text: impl ToString) -> Self {
        Self {
            href: href.into(),
            text: text.to_string(),
            main: true,
        }
    }

    /// A link to the shop; none if its address is not one that a page may link to.
    pub fn shop(w: &Words, merchant: &str, href: Option<String>) -> Option<Self> {
        let href = href.filter(|href| web_address(href).is_some())?;
        Some(Self {
            href,
            text: w.back_to.with("name", merchant).to_string(),
            main: true,
        })
    }

    /// The same link, less prominent.
    #[must_use]
    pub fn minor(mut self) -> Self {
        self.main = false;
        self
    }
}

/// How a page's news is meant; shown as an icon beside the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It worked.
    Good,
    /// It did not.
    Bad,
    /// It takes time.
    Wait,
    /// Neither.
    Plain,
}

impl Tone {
    /// The class in the stylesheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Wait => "wait",
            Self::Plain => "plain",
        }
    }
}
