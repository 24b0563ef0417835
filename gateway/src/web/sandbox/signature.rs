//! The check of a callback's signature, step by step, for people to follow. It is the dialect's own
//! check; this only names its parts for the page.

use dialects::hitpay::webhooks;
use domain::Secret;

/// Every step of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The fields without the signature, sorted by name.
    pub fields: Vec<(String, String)>,
    /// The text that is signed.
    pub text: String,
    /// The signature as computed here.
    pub computed: String,
    /// The signature as it came; none if there was none.
    pub received: Option<String>,
    /// Are they equal?
    pub genuine: bool,
}

impl Steps {
    /// The steps for a form body and a salt.
    pub fn of(body: &str, salt: &Secret) -> Self {
        let check = webhooks::verify(body, salt);
        Self {
            fields: check.fields,
            text: check.signed_text,
            computed: check.expected,
            received: check.received,
            genuine: check.valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "payment_id=92965a2d-ece3-4ace-1245-494050c9a3c1\
        &payment_request_id=92965a20-dae5-4d89-a452-5fdfa382dbe1&reference_number=ABC123&phone=\
        &amount=599.00&currency=SGD&status=completed";

    #[test]
    fn the_published_example_comes_out() {
        let hmac = "4e0bc86d5325336008fbe14a010477e133a73f9a815696d47982551e7937b2e9";
        let steps = Steps::of(
            &format!("{BODY}&hmac={hmac}"),
            &Secret::new("salt".to_owned()),
        );
        assert_eq!(steps.computed, hmac);
        assert!(steps.genuine);
        assert!(
            steps
                .text
                .starts_with("amount599.00currencySGDpayment_id92965a2d")
        );
        assert!(
            steps
                .text
                .ends_with("phonereference_numberABC123statuscompleted")
        );
    }

    #[test]
    fn a_missing_or_wrong_signature_is_not_genuine() {
        let salt = Secret::new("salt".to_owned());
        assert!(!Steps::of(BODY, &salt).genuine);
        assert!(!Steps::of(&format!("{BODY}&hmac=00"), &salt).genuine);
        assert_eq!(Steps::of("", &salt).fields, []);
    }
}
