//! English. This file also names the keys: every other language must have the same ones.

use super::Text;

macro_rules! words {
    ($($key:ident = $text:literal;)*) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub struct Words {
            /// The tag of the language, as in the `lang` attribute.
            pub lang: &'static str,
            /// `ltr` or `rtl`.
            pub dir: &'static str,
            $(#[doc = $text] pub $key: Text,)*
        }

        /// English.
        pub static EN: Words = Words { lang: "en", dir: "ltr", $($key: Text($text),)* };

        /// Every key with its English text.
        pub static KEYS: &[(&str, &str)] = &[$((stringify!($key), $text),)*];
    };
}

words! {
    // Every page.
    skip_to_content = "Skip to the main content";
    test_ribbon = "Test mode: no real money moves";
    error_prefix = "Error: {title}";
    site_name = "Florin sandbox";
    nav_label = "Sandbox";
    nav_home = "Try a payment";
    nav_deliveries = "Deliveries";
    nav_endpoints = "Endpoints";
    nav_docs = "API documents";
    moment = "{day} {month} {year}, {time}\u{a0}UTC";
    months =
        "January February March April May June July August September October November December";

    // What is being paid.
    summary_label = "What you are paying";
    pay_to = "Pay {name}";
    amount = "Amount";
    purpose = "For";
    reference = "Reference";
    pay_by = "Pay by";

    // The card form.
    card_heading = "Pay by card";
    card_number = "Card number";
    card_expiry = "Expiry date";
    card_expiry_hint = "For example 08/29";
    card_code = "Security code";
    card_code_hint = "3 or 4 digits";
    card_code_where = "Where is the security code?";
    card_code_where_text =
        "On most cards it is the last 3 digits on the back, by the signature strip. American \
         Express has 4 digits on the front, above the card number.";
    card_name = "Name on card";
    optional = "(optional)";
    pay_amount = "Pay {amount}";
    what_happens =
        "When you press Pay, your bank is asked for {amount}. It may ask you to confirm. Then you \
         go back to {name}.";
    what_happens_alone =
        "When you press Pay, your bank is asked for {amount}. It may ask you to confirm.";
    waiting = "Waiting for your bank…";
    cancel = "Cancel and go back to {name}";
    cancel_alone = "Cancel";
    other_methods = "Pay another way";

    // The list of methods.
    methods_heading = "How do you want to pay?";
    method_card = "Card";
    method_card_text = "Debit or credit card";
    method_app_text = "You confirm in the app";

    // Gift cards.
    method_gift = "Gift card";
    method_gift_text = "One or several, whole or in part";
    gift_heading = "Pay with gift cards";
    gift_covered = "Covered";
    gift_remaining = "Still to pay";
    gift_nothing_left = "Nothing";
    gift_cards = "Your gift cards";
    gift_balance = "{amount} on the card";
    gift_remove = "Remove";
    gift_remove_label = "Remove the gift card ending in {number}";
    gift_pay_whole =
        "When you press Pay, {amount} is taken from your gift cards. Until then it is only set \
         aside.";
    gift_pay_part =
        "When you press Pay, {amount} is taken from your gift cards. The other {rest} you pay at \
         {name} afterwards.";
    gift_waiting = "Paying with your gift cards…";
    gift_checking = "Checking the gift card…";
    gift_rest = "Pay the other {amount} here";
    gift_add = "Add a gift card";
    gift_add_another = "Add another gift card";
    gift_add_button = "Add gift card";
    gift_number = "Gift card number";
    gift_number_hint = "19 digits on most cards";
    gift_cvc = "Code (CVC)";
    gift_cvc_hint = "3 digits";
    gift_cvc_at_till = "3 digits; not needed for a card in your hand";
    gift_number_missing = "Enter the number of the gift card";
    gift_number_invalid = "Check the number: it is 12 to 19 digits";
    gift_cvc_missing = "Enter the code of the gift card";
    gift_cvc_invalid = "Check the code: it is 3 digits";
    gift_retype = "For your safety number and code are not kept. Type them again.";
    gift_unknown =
        "There is no gift card with this number and code. Check both and type them again.";
    gift_not_usable =
        "This gift card is blocked or was not activated. Ask the shop that sold it.";
    gift_expired = "This gift card has expired.";
    gift_empty = "There is nothing left on this gift card.";
    gift_elsewhere = "This gift card cannot be used at {name}.";
    gift_twice = "This gift card is on the payment already.";
    gift_too_many = "No more gift cards can be added to this payment.";
    gift_locked =
        "Too many wrong numbers or codes. Wait {minutes} min before you try again. Your gift cards \
         are as they were.";
    gift_none = "Add a gift card first.";
    gift_cover = "Gift cards cover {covered}. Still to pay: {amount}.";
    gift_change = "Change";
    gift_receipt = "Gift card ending in {number}";

    // The card generator.
    cards_heading = "Gift cards for tests";
    cards_intro =
        "Make gift cards for the test client of the demo shop. Numbers and codes are shown once.";
    cards_make = "Make gift cards";
    cards_made = "Your new gift cards";
    cards_once = "Copy them now: they are kept only as keyed hashes and cannot be shown again.";
    cards_last_day = "Last day";
    cards_client = "Client id";
    cards_amount_hint = "From 0 to 10,000, with 2 decimals at most";
    cards_count = "How many (1 to 50)";
    cards_state = "State";
    cards_active = "Active";
    cards_blocked = "Blocked";
    cards_expired = "Expired yesterday";
    cards_inactive = "Not activated";
    cards_button = "Make gift cards";
    cards_nothing = "Nothing can be made for this client id.";
    method_wallet = "Wallet";
    method_bank = "Bank transfer";
    provider_bank_text = "You confirm at your bank";

    // The cashier: deposits and withdrawals.
    cashier_none_heading = "No provider can be used just now";
    cashier_none = "Nothing was charged. Try again in a few minutes.";
    cashier_cancel = "Cancel the payment";
    cashier_leave = "Leave this page and go back to {name}";
    withdraw_from = "Get your money from {name}";
    withdraw_summary = "What you get";
    withdraw_heading = "Where should the money go?";
    withdraw_none = "Your payout stays as it is. Try again in a few minutes.";
    withdraw_cancel = "Cancel the payout";
    withdraw_others = "Choose another way";
    withdraw_unknown = "That way to get your money is not offered here. Choose one below.";
    payout_waiting_heading = "Your payout is being checked";
    payout_waiting_text =
        "{name} has to approve it. Then {amount} goes out. You have nothing more to do.";
    payout_way_heading = "Your money is on its way";
    payout_way_text = "{name} has approved the payout. The bank is sending {amount}.";
    payout_paid_heading = "Your money was sent";
    payout_paid_text = "{amount} went out from {name}.";
    payout_rejected_heading = "This payout did not go through";
    payout_rejected_text = "{amount} stays with {name}. Ask there what to do next.";
    payout_expired_heading = "The time for this payout is over";
    payout_expired_text =
        "Nobody acted in time, so {amount} stays with {name}. Ask there for a new payout.";

    // A provider's own page, in test mode.
    provider_name = "{name} (simulated)";
    provider_heading = "Pay at the provider";
    provider_text =
        "This page stands for the provider's own. What you press here is what the provider says \
         about {amount} for {name}.";
    provider_approve = "Successful";
    provider_payout_heading = "Confirm where the money goes";
    provider_payout_text =
        "This page stands for the provider's own. Confirm that {amount} from {name} should come \
         to your account here.";
    provider_payout_approve = "Confirm";
    provider_decline = "Rejected";
    provider_leave = "Leave it pending";
    provider_expire = "Expire it now";
    provider_reason = "Reason, if it is rejected";
    provider_reason_usual = "Insufficient funds";
    provider_transaction = "Transaction";
    provider_note = "In live mode the provider's own page is here.";

    // Problems with the form.
    problem_title = "There is a problem";
    problem_retype =
        "For your safety the card number and the security code are not kept. Type them again.";
    number_missing = "Enter the card number";
    number_invalid = "Check the card number: it has a wrong or missing digit";
    expiry_missing = "Enter the expiry date";
    expiry_invalid = "Enter the expiry date as month and year, for example 08/29";
    expiry_past = "This card has expired. Use another card";
    code_missing = "Enter the security code";
    code_invalid =
        "Check the security code: 3 digits on the back, or 4 on the front of American Express";
    method_unknown = "That way to pay is not offered here. Choose one below.";
    stale_form =
        "This form was sent before with other details. Nothing was charged this time. Check the \
         details and press Pay again.";

    // A decline.
    declined_title = "Payment declined";
    declined_card = "Your bank declined the card: {reason}. Nothing was charged. Try another card.";
    declined_card_plain = "Your bank declined the card. Nothing was charged. Try another card.";
    declined_other =
        "The payment was declined: {reason}. Nothing was charged. Try again or pay another way.";
    declined_other_plain =
        "The payment was not approved. Nothing was charged. Try again or pay another way.";
    reason_funds = "not enough funds";
    reason_expired = "it has expired";
    reason_authentication = "the payment was not confirmed";

    // How a bill can stand.
    aborted_text = "Nothing was charged. What was set aside on gift cards can be used again.";
    paid_heading = "Payment complete";
    paid_text = "You paid {amount} to {name}.";
    already_heading = "This has been paid already";
    already_text = "{name} received {amount}. Nothing more was charged.";
    expired_heading = "The time to pay is over";
    expired_text =
        "This payment ended on {when}. Nothing was charged. If you still want to pay, ask {name} \
         for a new payment link.";
    failed_heading = "This payment did not go through";
    failed_text =
        "It was closed without a charge. If you still want to pay, ask {name} for a new payment \
         link.";
    cancelled_heading = "You cancelled";
    cancelled_text =
        "Nothing was charged. You can close this page, or pay {amount} to {name} after all.";
    pay_after_all = "Pay after all";
    under_way_heading = "Another payment is under way";
    under_way_text =
        "Somebody began to pay this and has not finished at the bank. Nothing was charged by this \
         try. Finish there, or try again in a few minutes.";
    tries_heading = "Too many tries";
    tries_text =
        "Too many cards were declined for this payment. Nothing was charged. Ask {name} for a new \
         payment link.";
    try_again = "Try again";
    back_to = "Back to {name}";

    // The receipt.
    receipt_title = "Receipt";
    receipt_paid = "Amount paid";
    receipt_to = "Paid to";
    receipt_when = "Date";
    receipt_method = "Paid with";
    receipt_number = "Receipt number";
    receipt_refunded = "Refunded";
    receipt_keep = "To keep this receipt, print this page or save it as a PDF.";
    card_ending = "{brand} ending in {digits}";

    // The default link.
    link_heading = "How much do you want to pay?";
    link_hint = "In {code}, for example {example}";
    link_continue = "Continue";
    amount_missing = "Enter an amount";
    amount_invalid = "Enter an amount in digits, for example {example}";
    amount_zero = "Enter an amount above zero";
    amount_precise = "Enter an amount with no more than {decimals} decimals";
    amount_whole = "Enter a whole amount: {code} has no decimals";
    amount_large = "Enter a smaller amount";

    // The simulator.
    simulator_ribbon = "Simulator: this is not a real bank";
    bank_name = "Simulated bank";
    bank_heading = "Confirm your payment";
    bank_text = "{name} asks for {amount} from your card. Confirm that it is you who pays.";
    app_name = "Simulated {method} app";
    app_heading = "Approve this payment?";
    app_text = "{name} asks for {amount}.";
    bank_card = "Card";
    bank_merchant = "Shop";
    simulator_note =
        "In live mode the payer's own bank shows this step. Here you choose what happens.";
    approve = "Approve";
    decline = "Decline";
    leave = "Leave without answering";
    step_late_heading = "This took too long";
    step_late_text =
        "The bank waited for an answer and has closed this step. Nothing was charged by it.";
    step_over_heading = "This step is over";
    step_over_text = "It was answered before. Nothing was changed now.";
    to_payment = "Go to the payment";

    // Error pages.
    missing_heading = "Page not found";
    missing_text =
        "If you typed the address, check it. If you followed a payment link, ask the shop for a \
         new one. Nothing was charged.";
    unavailable_heading = "Sorry, this is not working right now";
    unavailable_text =
        "Wait a moment and try again. If you were paying, open the payment link again first: it \
         shows whether the payment went through.";
    busy_heading = "Too many requests";
    busy_text = "Wait a moment and try again. Nothing was charged.";
    unreadable_heading = "That did not arrive in full";
    unreadable_text = "Go back and try again. Nothing was charged.";

    // The sandbox's home.
    home_heading = "Take a payment in one minute";
    home_intro =
        "Florin is a payment gateway that you run yourself. It speaks the API that your shop \
         software already knows, takes the payer through a checkout page and tells your shop by a \
         signed webhook. This is its sandbox: everything is as in live mode, except that cards \
         and money are simulated.";
    home_try = "Try a payment";
    home_try_text =
        "A demo shop asks Florin for a payment through the API, exactly as your own shop would. \
         You pay, and then see every message that was exchanged.";
    home_try_button = "Start a payment";
    home_cards = "Test cards";
    home_cards_text = "Use any future expiry date and any 3-digit security code.";
    home_card_number = "Number";
    home_card_outcome = "What happens";
    card_approved = "Approved";
    card_declined = "Declined by the bank";
    card_no_funds = "Declined: not enough funds";
    card_expired = "Declined: the card has expired";
    card_challenge = "Asks you to confirm at the bank (3-D Secure)";
    card_other = "Any other valid number";
    home_call = "Your first call";
    home_call_text =
        "The same as the button above, from a terminal. Put in the API key that was printed when \
         the sandbox started.";
    home_clock = "The sandbox's clock";
    home_clock_text =
        "Everything here goes by this clock: expiries, and the times at which webhooks are tried \
         again. Move it forward, and all that becomes due on the way happens at once, in order. \
         It never goes back.";
    home_clock_now = "Now";
    home_clock_ahead = "Ahead of real time";
    home_clock_real = "Not at all";
    home_clock_by = "Move forward by";
    home_clock_hint = "For example 30m, 2h or 1d12h";
    home_clock_button = "Move the clock";
    home_clock_unreadable = "Type whole numbers with s, m, h or d, like 1h30m";
    home_clock_nothing = "Type more than nothing: the clock only goes forward";
    home_clock_far = "Type 400 days or less";
    home_next = "Look further";
    home_docs_text = "Every call with its fields, limits and examples.";
    home_payouts_text = "Approve or reject what is to be paid out.";
    home_phone = "Phones";
    home_phone_text = "Approve or reject payment requests of Vipps MobilePay, on any number.";
    home_gifts = "Gift cards";
    home_gifts_text = "Make gift cards with any balance to pay with in tests.";
    home_deliveries_text =
        "Every webhook that was sent, both sides of each try, and a button to send it again.";

    // The demo shop.
    shop_heading_paid = "Back at the demo shop: paid";
    shop_heading_cancelled = "Back at the demo shop: cancelled";
    shop_heading = "Back at the demo shop";
    shop_intro =
        "The payer's browser has returned. This is everything your own shop would have sent and \
         received, in order.";
    shop_request = "The shop asked for a payment";
    shop_request_text = "One request from the shop's server to Florin.";
    shop_answer_text = "Florin answered with the payment and the address of its checkout page.";
    shop_return = "The browser came back";
    shop_return_text =
        "Florin sent the browser to the shop's return address with these arguments. Anybody can \
         type them into an address bar, so do not ship goods because of them.";
    shop_argument = "Argument";
    shop_value = "Value";
    shop_webhook = "The webhook arrived";
    shop_webhook_text =
        "Florin told the shop's server. This one is signed: when the signature is right, mark the \
         order paid.";
    shop_webhook_when = "Received on {when}";
    shop_webhook_headers = "Headers";
    shop_webhook_body = "Body";
    shop_waiting = "The webhook is on its way";
    shop_waiting_text =
        "It usually takes less than a second. A payment that was not made has no webhook.";
    shop_reload = "Look again";
    shop_check = "The shop checked the signature";
    shop_check_fields =
        "1. Take every field of the body except hmac, decoded, sorted by name. Empty ones count.";
    shop_check_text = "2. Write each name and its value one after the other, with nothing between.";
    shop_check_mac =
        "3. Compute HMAC-SHA256 of that text with your salt as the key. The sandbox prints its \
         salt when it starts.";
    shop_check_got = "4. Compare with the hmac field, in constant time.";
    shop_computed = "Computed";
    shop_received = "Received";
    shop_field = "Field";
    shop_genuine = "They are equal: the webhook is genuine.";
    shop_forged = "They differ: do not trust this webhook.";
    shop_unsigned = "There is no hmac field: do not trust this webhook.";
    shop_empty = "(empty)";
    shop_again = "Try another payment";
    shop_deliveries = "See the deliveries of this payment";

    // Deliveries.
    deliveries_heading = "Webhook deliveries";
    deliveries_intro =
        "Newest first. Each delivery is tried again on a schedule until your server answers with \
         a 2xx status.";
    deliveries_all = "Show all";
    deliveries_older = "Older deliveries";
    filter_heading = "Filter the deliveries";
    filter_payment = "Payment (id or reference)";
    filter_state = "State";
    filter_any = "Any";
    filter_button = "Filter";
    filter_none = "No delivery fits";
    filter_none_text = "No webhook is about this payment, in this state or for this endpoint.";
    deliveries_none = "No webhook has been sent yet";
    deliveries_none_text = "Start a payment and pay it: the first one appears here.";
    mischief_heading = "Make the next webhooks go wrong";
    mischief_text =
        "Try your server against it. What was done stands with the try. It is over when it has \
         happened, or when the sandbox stops.";
    mischief_left = "{count} more: {trick}";
    mischief_trick = "What happens to a webhook";
    mischief_times = "How many";
    mischief_button = "Let it happen";
    mischief_drop = "It is lost on its way";
    mischief_lose_answer = "Its answer is lost";
    mischief_duplicate = "It comes twice";
    mischief_wrong_signature = "Its signature is wrong";
    mischief_delay = "It comes a minute late";
    mischief_swap = "It comes behind the next one of its payment";
    delivery_to = "To";
    delivery_next = "Next try";
    delivery_id = "Delivery";
    delivery_resend = "Send again now";
    delivery_resend_of = "Send again now: {event}";
    delivery_tries_one = "1 try";
    delivery_tries = "{count} tries";
    delivery_no_tries = "Not tried yet";
    delivery_try = "Try {number}, {when}";
    delivery_answered = "answered {status} after {latency} ms";
    delivery_unanswered = "no answer after {latency} ms";
    delivery_sent = "We sent";
    delivery_got = "Your server answered";
    state_pending = "Pending";
    state_delivered = "Delivered";
    state_failed = "Failed";
    state_paused = "Paused";
    delivery_why = "Why";
    delivery_names = "Names";
    delivery_numbers =
        "Reference {reference}. pspReference: {payment} in API answers, {step} in this webhook.";
    delivery_skip = "Skip";
    delivery_skip_of = "Skip: {event}";
    delivery_at_endpoint = "Its endpoint";
    standing_delivered = "Your server took it.";
    standing_gave_up = "Given up: every try of its schedule failed.";
    standing_gone = "Given up: the server answered 410 Gone.";
    standing_skipped = "Given up: somebody skipped it.";
    standing_removed = "Given up: its endpoint was removed.";
    standing_by_hand = "It waits: somebody paused its endpoint. Resume that, and it is sent.";
    standing_failing =
        "It waits: its endpoint failed for too long and was paused. Resume that, and it is sent.";
    standing_gone_paused =
        "It waits: its endpoint answered 410 Gone and was paused. Resume that, and it is sent.";
    standing_under_way = "It is being sent now.";
    standing_due = "It is sent by itself at the time of the next try.";
    standing_behind =
        "It waits behind {id}, which must be sent first. Send that one again, or skip it.";

    // Endpoints.
    endpoints_heading = "Webhook endpoints";
    endpoints_intro =
        "Addresses that are told about events, whatever payment they belong to. Deliveries of a \
         paused endpoint wait; nothing is lost.";
    endpoints_none = "No endpoint is registered";
    endpoints_none_text =
        "Register one below, or from a terminal: florin webhooks endpoints add URL.";
    endpoint_made = "Registered; this is its secret";
    endpoint_made_text = "Events go to {url}. Keep the secret now: it is not shown again.";
    endpoint_add = "Register an endpoint";
    endpoint_add_text =
        "It hears of the payments of all dialects, in the scheme of Standard Webhooks.";
    endpoint_url = "Address";
    endpoint_url_hint = "For example http://localhost:3000/hook";
    endpoint_events_hint = "Leave it empty for all, or list some: bill.paid, payment.*";
    endpoint_label = "Your name for it";
    endpoint_label_hint = "Need not be given";
    endpoint_add_button = "Register";
    endpoint_too_many = "No more than {count} endpoints can be registered";
    range_heading = "Send a time range again";
    range_from = "From (UTC)";
    range_until = "Until before (UTC; empty: now)";
    range_all = "Those that were delivered too";
    range_button = "Send again";
    range_unreadable = "Give a date and a time, like 2026-11-21 09:00";
    range_backwards = "The range ends before it begins";
    range_nothing = "Nothing to send again in that time.";
    range_one = "1 delivery goes out again.";
    range_many = "{count} deliveries go out again.";
    endpoint_scheme = "Scheme";
    endpoint_events = "Events";
    endpoint_all_events = "All";
    endpoint_id = "Endpoint";
    endpoint_health = "Health";
    endpoint_twice = "Twice";
    endpoint_doubles_one =
        "Another endpoint at this address gets some of the same events, so they arrive twice.";
    endpoint_doubles =
        "{count} other endpoints at this address get some of the same events, once for each.";
    endpoint_healthy = "The last try was good, or there was none yet.";
    endpoint_failing_one = "1 failed try since {when}.";
    endpoint_failing = "{count} failed tries since {when}.";
    endpoint_removal = "Removal";
    endpoint_removal_text = "It will be removed on {when} if nothing reaches it before.";
    endpoint_active = "Active";
    endpoint_paused_by_hand = "Somebody paused it on {when}.";
    endpoint_paused_failing = "It failed for too long and was paused on {when}.";
    endpoint_paused_gone = "It answered 410 Gone and was paused on {when}.";
    endpoint_pause = "Pause";
    endpoint_pause_of = "Pause: {url}";
    endpoint_resume = "Resume";
    endpoint_resume_of = "Resume: {url}";
    endpoint_test = "Send a test event";
    endpoint_test_of = "Send a test event: {url}";

    // Payouts, as the merchant sees them.
    payouts_heading = "Payouts";
    payouts_intro =
        "Money that leaves Demo Shop for its customers. It is reserved at once; you decide whether \
         it goes.";
    payouts_none = "No payout yet";
    payouts_none_text =
        "Request one with POST /gateway/v1/payouts. Demo Shop can pay out what it was paid.";
    payouts_docs = "The calls for it";
    payout_user = "Customer chooses";
    payout_user_text = "The customer has to say where the money goes before you can approve it.";
    payout_approval = "Waits for you";
    payout_approval_text = "Its money is reserved until you decide.";
    payout_processing = "On its way";
    payout_processing_text = "You approved it, and the provider has it.";
    payout_paid = "Paid out";
    payout_paid_note = "The money arrived.";
    payout_rejected = "Rejected";
    payout_rejected_note = "Reason: {reason}. Its money is free again.";
    payout_cancelled_note = "You turned it down. Its money is free again.";
    payout_expired = "Expired";
    payout_expired_note = "Nobody acted in time. Its money is free again.";
    payout_no_provider =
        "No provider can carry this payout just now, so it goes on waiting. Approve it again when \
         one works.";
    payout_two_persons = "It takes another person than the one who requested it.";
    payout_tracking = "Your id";
    payout_customer = "Customer";
    payout_provider = "Provider";
    payout_until = "Waits until";
    payout_approve = "Approve";
    payout_approve_of = "Approve: {amount}";
    payout_reject = "Reject";
    payout_reject_of = "Reject: {amount}";
    payout_page = "The customer’s page";

    // The landing page of a payment by phone.
    landing_heading = "Pay with Vipps MobilePay";
    landing_text = "Confirm your number. The request then appears on that phone.";
    landing_phone = "Mobile number";
    landing_phone_hint = "With country code, for example 47\u{a0}912\u{a0}34\u{a0}567";
    landing_phone_unknown = "Nobody who may pay this has the app at that number";
    landing_phone_wrong = "Enter a mobile number with country code, for example 47\u{a0}912\u{a0}34\u{a0}567.";
    landing_continue = "Continue";
    landing_approved = "Payment approved";
    landing_approved_text =
        "{name} has reserved {amount}. You may close this page.";
    landing_aborted = "Payment cancelled";
    landing_aborted_text = "You cancelled the payment. Nothing was charged.";
    landing_expired = "Payment expired";
    landing_expired_text = "Nobody approved the payment in time. Nothing was charged.";
    landing_taken_back = "Payment withdrawn";
    landing_taken_back_text = "{name} took the request back. Nothing was charged.";

    // The phone, played by us.
    phone_ribbon = "A simulated phone: no real money moves";
    phone_heading = "Approve the payment";
    phone_inbox_heading = "Payment requests";
    phone_pay = "Pay {amount}";
    phone_reject = "Reject";
    phone_ignore = "Not now";
    phone_other = "Test another outcome";
    phone_card = "The bank says";
    phone_decline = "Pay with a card that is refused";
    phone_expire = "Let the time run out";
    phone_declined_title = "The card was refused";
    phone_declined_text = "{cause}. Nothing was charged. Try another card.";
    phone_empty = "No request waits on this phone.";
    phone_reload = "Look again";
    phone_past = "Earlier requests";
    phone_rule = "Answer by itself";
    phone_rule_text =
        "For automatic tests: every request that reaches this phone is answered at once.";
    phone_choices = "Delivery";
    phone_choice = "{name}: {price}, {amount} in all";
    phone_pay_chosen = "Pay with this delivery";
    phones_refund = "Refund: {outcome}";
    phone_rule_label = "When a request comes";
    phone_rule_ask = "Wait for me";
    phone_rule_approve = "Approve it";
    phone_rule_reject = "Reject it";
    phone_rule_decline = "Pay with a card that is refused";
    phone_rule_unknown = "Be nobody: no such telephone";
    phone_rule_no_cards = "Have no card";
    phone_rule_funds_gone = "Wait for me; captures find no money";
    phone_rule_capture_fails = "Wait for me; captures fail";
    phone_rule_save = "Save";
    phone_others = "Another phone";
    phone_unnamed = "Any phone";
    phone_to_inbox = "All requests on this phone";
    phone_state_waiting = "Waiting";
    phone_state_approved = "Approved";
    phone_state_aborted = "Rejected";
    phone_state_expired = "Expired";
    phone_state_cancelled = "Withdrawn by the shop";
    phones_heading = "Phones";
    phones_text =
        "Payment requests by Vipps MobilePay arrive on a phone. In the sandbox every number is a \
         phone, and you hold all of them.";
    phones_open = "Open the phone";
    phones_recent = "Phones that were asked";
    phones_amounts = "Amounts that are refused";
    phones_amounts_text = "A payment over one of these is refused when it is approved.";
    phones_amount = "Minor units";
    nav_phone = "Phone";

    // API documents.
    docs_heading = "API documents";
    docs_intro =
        "Florin speaks the APIs of these providers. Point a client of one of them at this server \
         and change nothing else.";
    docs_version = "Version {version}";
    docs_raw = "OpenAPI file (JSON)";
    docs_base = "Base URL";
    docs_auth = "Authentication";
    docs_contents = "Calls";
    docs_webhooks = "Webhooks";
    docs_other = "Other";
    docs_parameters = "Parameters";
    docs_request = "Request body";
    docs_answers = "Answers";
    docs_fields = "Fields of the answer";
    docs_example = "Example";
    docs_curl = "With curl";
    docs_name = "Name";
    docs_type = "Type";
    docs_about = "About";
    docs_required = "required";
    docs_in = "in {place}";
    docs_deprecated = "Deprecated";
    docs_sent_as = "Sent as {types}";
}
