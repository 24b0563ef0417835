//! The receipt of a payment: its lines and what stands below them. Amounts are whole minor units;
//! those of a line that takes something off are negative.

use domain::Currency;

use super::{URL_MAX, pascal};
use crate::fields::{Fault, Fields, Value};
use crate::vipps::requests::missing;

/// Characters of a text that is printed.
const TEXT_MAX: usize = 2_048;

/// Characters of an identifier.
const ID_MAX: usize = 255;

/// Checks the receipt, if there is one.
pub(super) fn read(fields: &mut Fields<'_>) {
    let Some(members) = fields.object("receipt") else {
        return;
    };
    fields.inside("receipt", members, |inner| {
        match inner.get("orderLines").and_then(Value::items) {
            Some(lines) if !lines.is_empty() => {
                for (place, line) in lines.iter().enumerate() {
                    order_line(inner, place, line);
                }
            }
            Some(_) | None => inner.fault("orderLines", Fault::Missing),
        }
        match inner.object("bottomLine") {
            Some(members) => inner.inside("bottomLine", members, bottom_line),
            None => missing(inner, "bottomLine"),
        }
    });
}

fn order_line(fields: &mut Fields<'_>, place: usize, line: &Value) {
    let name = format!("orderLines[{place}]");
    let Value::Object(members) = line else {
        fields.fault(&name, Fault::NotObject);
        return;
    };
    fields.inside(&name, members, |inner| {
        inner.required_text("name", TEXT_MAX);
        inner.required_text("id", ID_MAX);
        for amount in ["totalAmount", "totalAmountExcludingTax", "totalTaxAmount"] {
            missing(inner, amount);
            whole(inner, amount);
        }
        // In hundredths of a per cent; its deprecated form is in per cent, with parts or without.
        whole(inner, "taxRate");
        for amount in ["taxPercentage", "discount"] {
            number(inner, amount);
        }
        inner.text("productUrl", URL_MAX);
        for flag in ["isReturn", "isShipping"] {
            truth(inner, flag);
        }
        if let Some(unit) = inner.object("unitInfo") {
            inner.inside("unitInfo", unit, |unit| {
                whole(unit, "unitPrice");
                text(unit, "quantity");
                text(unit, "quantityUnit");
            });
        }
    });
}

fn bottom_line(fields: &mut Fields<'_>) {
    if let Some(code) = fields.required_text("currency", 3)
        && Currency::parse_exact(&code).is_err()
    {
        fields.fault("currency", Fault::NotKnown);
    }
    for amount in [
        "tipAmount",
        "totalAmount",
        "totalTax",
        "totalDiscount",
        "shippingAmount",
    ] {
        whole(fields, amount);
    }
    text(fields, "posId");
    fields.text("receiptNumber", ID_MAX);
    fields.object("paymentSources");
    fields.object("barcode");
}

/// A whole number, if it is there.
fn whole(fields: &mut Fields<'_>, name: &str) {
    match fields.get(name) {
        None => {}
        Some(Value::Number(token)) if token.parse::<i64>().is_ok() => {}
        Some(_) => {
            let sentence = format!("The field {} must be a whole number.", pascal(name));
            fields.problem(name, sentence);
        }
    }
}

/// A number of any form, if it is there.
fn number(fields: &mut Fields<'_>, name: &str) {
    if !matches!(fields.get(name), None | Some(Value::Number(_))) {
        let sentence = format!("The field {} must be a number.", pascal(name));
        fields.problem(name, sentence);
    }
}

/// Text and nothing that could be read as one, if it is there.
fn text(fields: &mut Fields<'_>, name: &str) {
    match fields.get(name) {
        Some(Value::Text(_)) | None => {
            fields.text(name, ID_MAX);
        }
        Some(_) => fields.fault(name, Fault::NotText),
    }
}

/// True or false, if it is there.
fn truth(fields: &mut Fields<'_>, name: &str) {
    if !matches!(fields.get(name), None | Some(Value::Bool(_))) {
        fields.fault(name, Fault::NotBool);
    }
}
