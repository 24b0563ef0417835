//! The names of events that can be registered for. Only those of ePayment are ever sent.

use domain::StepKind;

use crate::nearest::nearest;

/// Every name that the published documentation has.
pub const ALL: &[&str] = &[
    "epayments.payment.created.v1",
    "epayments.payment.aborted.v1",
    "epayments.payment.expired.v1",
    "epayments.payment.cancelled.v1",
    "epayments.payment.captured.v1",
    "epayments.payment.refunded.v1",
    "epayments.payment.authorized.v1",
    "epayments.payment.terminated.v1",
    "recurring.agreement-activated.v1",
    "recurring.agreement-rejected.v1",
    "recurring.agreement-stopped.v1",
    "recurring.agreement-expired.v1",
    "recurring.charge-reserved.v1",
    "recurring.charge-captured.v1",
    "recurring.charge-canceled.v1",
    "recurring.charge-refunded.v1",
    "recurring.charge-failed.v1",
    "recurring.charge-creation-failed.v1",
    CHECK_IN,
    "login.merchant-initiated.ping.v1",
];

/// The one event with a limit of its own.
pub const CHECK_IN: &str = "user.checked-in.v1";

/// The word in payloads and in the event log.
pub fn word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Created => "CREATED",
        StepKind::Authorized => "AUTHORIZED",
        StepKind::Captured => "CAPTURED",
        StepKind::Released => "CANCELLED",
        StepKind::Refunded => "REFUNDED",
        StepKind::Aborted => "ABORTED",
        StepKind::Expired => "EXPIRED",
        StepKind::Cancelled => "TERMINATED",
    }
}

/// The name of the event that a step gives.
pub fn of(kind: StepKind) -> String {
    let word = word(kind).to_ascii_lowercase();
    format!("epayments.payment.{word}.v1")
}

/// The events of donations, whose exact names are not published.
fn is_of_donations(name: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.*".contains(&b);
    let rest = name.strip_prefix("donations.");
    name.len() <= DONATIONS_MAX
        && rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(known))
}

/// Characters of the name of an event of donations.
const DONATIONS_MAX: usize = 100;

/// What is wrong with these names, all of them in one sentence, and what was probably meant.
pub fn unsupported(names: &[String]) -> Option<String> {
    let unknown: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !ALL.contains(name) && !is_of_donations(name))
        .collect();
    if unknown.is_empty() {
        return None;
    }
    let mut meant: Vec<&str> = unknown
        .iter()
        .filter_map(|name| nearest(name, ALL.iter().copied()))
        .collect();
    meant.dedup();
    let shown: Vec<String> = unknown.iter().map(|name| shortened(name)).collect();
    let listed = format!("Unsupported values: {}", shown.join(", "));
    Some(if meant.is_empty() {
        listed
    } else {
        format!("{listed}. Did you mean {}?", meant.join(", "))
    })
}

fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_names_what_was_meant() {
        let asked = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            unsupported(&names)
        };
        assert_eq!(asked(ALL), None);
        assert_eq!(asked(&["donations.donation-made.v1", "donations.*"]), None);
        assert!(asked(&["donations."]).is_some() && asked(&["donations.A b"]).is_some());
        assert_eq!(
            asked(&[
                "epayment.payment.captured.v1",
                "epayments.payment.created.v1"
            ])
            .unwrap(),
            "Unsupported values: epayment.payment.captured.v1. \
             Did you mean epayments.payment.captured.v1?"
        );
        assert_eq!(
            asked(&["nothing", "like it"]).unwrap(),
            "Unsupported values: nothing, like it"
        );
    }
}
