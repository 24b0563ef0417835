//! The numbered errors of ePayment: code, title, status.

use domain::StepProblem;
use http::StatusCode;

use super::problem::{Detail, Problem};

/// The name under which a code stands in `extraDetails`.
pub const NAME: &str = "ErrorCode";

/// Every code of the contract: its title and its status.
const ALL: &[(u16, &str, u16)] = &[
    // The contract has 500; nothing was changed and a new try may work, which 503 says.
    (3010, "Internal error", 503),
    (4010, "Capture idempotency conflict", 409),
    (4020, "Idempotency error", 409),
    (4040, "Invalid amount", 400),
    (4050, "Invalid customer token", 400),
    (4060, "Invalid personal QR", 400),
    (4070, "Invalid phone number", 400),
    (4080, "Invalid scope", 400),
    (4090, "Invalid URL", 400),
    (4100, "Metadata capacity exceeded", 400),
    (4110, "Metadata keys are not unique", 400),
    (4120, "Metadata key too long", 400),
    (4130, "Metadata value too long", 400),
    (4140, "Missing required parameter", 400),
    (
        4150,
        "Reference already exists or idempotency conflict",
        409,
    ),
    (4160, "Invalid payment method type", 400),
    (5010, "Blocking of sources is not available", 400),
    (5020, "Express is not allowed", 403),
    (5030, "Scope is not allowed", 403),
    (5040, "Invalid currency for merchant", 400),
    (5050, "Long-living payments are not allowed", 403),
    (5060, "The bank account is not verified", 400),
    (5070, "Payment cannot be created", 400),
    (5080, "PUSH_MESSAGE is not allowed", 403),
    (5090, "Reference not found", 404),
    (5100, "Refund not possible", 400),
    (6010, "Amount too small", 400),
    (6020, "Cannot refund before reservation", 400),
    (6030, "Cannot cancel, the cancel period has expired", 400),
    (6040, "Cannot cancel an already captured order", 400),
    (6050, "Cannot cancel before reservation", 400),
    (6060, "Cannot cancel, the payment is authorized", 400),
    (6070, "Cannot capture a cancelled order", 400),
    (6080, "Cannot capture before reservation", 400),
    (6090, "Cannot capture more than is reserved", 400),
    (6100, "Cannot capture, the capture period has expired", 400),
    (6110, "Expiry too late", 400),
    (6120, "Expiry too soon", 400),
    (6130, "Receipt required", 400),
    (6140, "The full amount must be captured", 400),
    (6150, "Cannot refund more than is captured", 400),
    (6160, "Order is being processed", 423),
    (6170, "Order is already captured", 400),
    (6180, "Order is already refunded", 400),
    (6190, "Cancel is not allowed in this state", 400),
    (6200, "Capture is not allowed in this state", 400),
    (6210, "Refund is not allowed in this state", 400),
    (6220, "Cannot refund, the refund period has expired", 400),
    (6230, "Order is already reserved", 400),
    (6250, "Cannot cancel, the order is being processed", 400),
    (6260, "Cannot capture, the funds are not available", 400),
    (6280, "Capture failed, try again later", 400),
    (7010, "Customer not found", 400),
    (10010, "Approve failed", 400),
    (10020, "Approve is not allowed", 400),
    (10030, "Customer identification required", 400),
    (10040, "Invalid payment source", 400),
    (10050, "The user has no cards", 400),
    (10060, "Approve is not supported for this payment", 400),
    (10070, "The payer's limit is exceeded", 400),
];

/// Title and status of a code.
fn known(code: u16) -> (&'static str, u16) {
    let known = ALL.iter().find(|(known, ..)| *known == code);
    known.map_or(("Bad Request", 400), |(_, title, status)| (*title, *status))
}

/// The problem of a code, with a sentence that says what would be right.
pub fn problem(code: u16, detail: impl Into<String>) -> Problem {
    let (title, status) = known(code);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut problem = Problem::new(status, title, detail);
    problem.extra.push(Detail::new(NAME, code.to_string()));
    problem
}

// What is said with some codes.
const ONLY_BEFORE: &str = "cancelTransactionOnly is true, and the user has approved the payment.";
const NAME_THE_USER: &str =
    "Name the user by customer.phoneNumber, or send the token of the redirectUrl.";
const BY_HAND_FIRST: &str = "This user must approve one payment by hand before a call can approve.";

/// The problem of a step that is not possible.
pub fn of_step(refused: &StepProblem) -> Problem {
    let (code, detail) = match refused {
        StepProblem::ReferenceTaken(reference) => (
            4150,
            format!(
                "A payment with the reference {reference} exists. Get it, or use a new reference."
            ),
        ),
        StepProblem::ExpiresTooSoon => (6120, said("expiresAt is more than 10 minutes ahead.")),
        StepProblem::ExpiresTooLate => (6110, said("expiresAt is at most 60 days ahead.")),
        StepProblem::OtherCurrency(own) => (
            4040,
            format!("The currency of this payment is {own}. Use it in modificationAmount."),
        ),
        StepProblem::CaptureBeforeReserved => {
            (6080, said("The user has not approved the payment."))
        }
        StepProblem::CaptureOfReleased => {
            (6070, said("The rest of the reservation was cancelled."))
        }
        StepProblem::CaptureTooHigh(left) => (6090, format!("{left} is left to capture.")),
        StepProblem::CaptureTooLate => (6100, said("The reservation has been cancelled by time.")),
        StepProblem::CapturedBefore => (6170, said("The whole reservation was captured before.")),
        StepProblem::CaptureOfEnded(state) => (6200, in_state(state)),
        StepProblem::RefundBeforeReserved => (6020, said("The user has not approved the payment.")),
        StepProblem::RefundTooHigh(left) => (6150, format!("{left} is left to refund.")),
        StepProblem::RefundedBefore => (6180, said("All that was captured was refunded before.")),
        StepProblem::RefundOfEnded(state) => (6210, in_state(state)),
        StepProblem::RefundTooLate => (6220, said("The last capture was too long ago.")),
        StepProblem::RefundImpossible => (5100, said("The user's account is gone.")),
        StepProblem::CancelOfCaptured => (6040, said("Refund it instead.")),
        StepProblem::CancelTooLate => (
            6030,
            said("The rest of the reservation has been cancelled by time."),
        ),
        StepProblem::CancelOfReserved => (6060, said(ONLY_BEFORE)),
        StepProblem::CancelOfEnded(state) => (6190, in_state(state)),
        StepProblem::ReservedBefore => (6230, said("The payment is approved already.")),
        StepProblem::ApproveOfEnded(state) => (10010, in_state(state)),
        StepProblem::NoPayer => (10030, said(NAME_THE_USER)),
        StepProblem::NeverApproved => (10020, said(BY_HAND_FIRST)),
        StepProblem::ApproveByHand => (10060, said("A payment with shipping is approved by hand.")),
        StepProblem::Declined(cause) => {
            let code = match cause.code.as_str() {
                "expired_card" | "invalid_card" => 10040,
                "withdrawal_limit" => 10070,
                _ => 10010,
            };
            (code, format!("The bank said no: {}.", cause.text))
        }
        StepProblem::LiveMode => (10020, said("Only test payments can be approved by a call.")),
        StepProblem::NoSuchPayer => (7010, said("The user is unknown, or too young for this.")),
        StepProblem::NoCards => (10050, said("Add a card in the app first.")),
        StepProblem::Processing => (
            6160,
            said("The bank has not answered yet. Get it again later."),
        ),
        StepProblem::CancelOfProcessing => (
            6250,
            said("The bank has not answered yet. Try again later."),
        ),
        StepProblem::FundsGone => (6260, said("The bank does not give what it reserved.")),
        StepProblem::CaptureFailed => (
            6280,
            said("Nothing was captured. Try again, with a new key."),
        ),
    };
    problem(code, detail)
}

fn said(text: &str) -> String {
    text.to_owned()
}

fn in_state(state: &str) -> String {
    let word = match state {
        "cancelled" => "terminated or cancelled",
        "pending" => "not approved yet",
        other => other,
    };
    format!("The payment is {word}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes by their status, as the contract lists them.
    const CONTRACT: &[(u16, &[u16])] = &[
        (409, &[4010, 4020, 4150]),
        (
            400,
            &[
                4040, 4050, 4060, 4070, 4080, 4090, 4100, 4110, 4120, 4130, 4140, 4160, 5010, 5040,
                5060, 5070, 5100, 6010, 6020, 6030, 6040, 6050, 6060, 6070, 6080, 6090, 6100, 6110,
                6120, 6130, 6140, 6150, 6170, 6180, 6190, 6200, 6210, 6220, 6230, 6250, 6260, 6280,
                7010, 10010, 10020, 10030, 10040, 10050, 10060, 10070,
            ],
        ),
        (403, &[5020, 5030, 5050, 5080]),
        (404, &[5090]),
        (423, &[6160]),
        (503, &[3010]),
    ];

    #[test]
    fn every_code_of_the_contract_has_its_title_and_status() {
        let mut listed = 0;
        for (status, codes) in CONTRACT {
            for code in *codes {
                let (title, known_status) = known(*code);
                assert_eq!(known_status, *status, "{code}");
                assert_ne!(title, "Bad Request", "{code}");
                listed += 1;
            }
        }
        assert_eq!(listed, ALL.len(), "and no other");
        assert!(ALL.is_sorted_by_key(|(code, ..)| *code));
    }
}
