//! The fields of a submitted page. They may hold a card number, so they are wiped when dropped.

use domain::secret::wipe;

/// The fields of one form, in the order they came.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a urlencoded body and wipes it. Bytes that are not UTF-8 are no form.
    pub fn read(body: Vec<u8>) -> Option<Self> {
        let mut text = String::from_utf8(body).ok()?;
        let fields = form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect();
        wipe(&mut text);
        Some(Self(fields))
    }

    /// The first value of a field; an absent one is empty.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The first value of a field, if it was sent.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            wipe(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_absent_ones_are_empty() {
        let form = Form::read(b"name=A+%26+B&action=pay&action=cancel".to_vec()).unwrap();
        assert_eq!((form.get("name"), form.get("action")), ("A & B", "pay"));
        assert_eq!((form.get("code"), form.find("code")), ("", None));
        assert!(Form::read(vec![0xff]).is_none());
    }
}
