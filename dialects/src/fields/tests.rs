//! Tests of the typed readers.

use super::*;
use crate::Targets;

fn wording(field: &str, fault: Fault) -> String {
    format!("{field}: {fault:?}")
}

fn json(text: &str) -> Members {
    crate::json::parse(text.as_bytes()).unwrap()
}

/// What a reader made of `{"f": <value>}`: the result, or the fault.
fn read<T>(
    value: &str,
    reader: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<Option<T>, String> {
    let members = json(&format!("{{\"f\":{value}}}"));
    let mut fields = Fields::new(&members, wording);
    let result = reader(&mut fields);
    match fields.problems.first() {
        None => Ok(result),
        Some(problem) => {
            assert!(result.is_none(), "a field with a fault has no value");
            assert_eq!(fields.problems.len(), 1, "one fault for each field");
            Err(problem.message.strip_prefix("f: ").unwrap().to_owned())
        }
    }
}

#[test]
fn absent_null_and_empty_are_the_same() {
    let members = json(r#"{"a":null,"b":""}"#);
    let mut fields = Fields::new(&members, wording);
    for name in ["a", "b", "c"] {
        assert_eq!(fields.text(name, 5), None);
        assert_eq!(fields.flag(name), None);
        assert_eq!(fields.list(name), None);
        assert_eq!(fields.uuid(name), None);
        assert_eq!(fields.email(name, EMAIL_MAX), None);
        assert_eq!(fields.number(name, 1, 2), None);
        assert!(fields.object(name).is_none());
    }
    assert!(fields.is_sound());
    assert_eq!(fields.required_text("a", 5), None);
    let Err(Refusal::Invalid(problems)) = fields.finish() else {
        panic!()
    };
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "a: Missing");
}

#[test]
fn text_counts_characters() {
    let text = |value: &str| read(value, |f| f.text("f", 3));
    assert_eq!(text("\"äöü\""), Ok(Some("äöü".to_owned())));
    assert_eq!(text("\"äöüß\""), Err("TooLong(3)".to_owned()));
    assert_eq!(
        text("123"),
        Ok(Some("123".to_owned())),
        "a whole number may stand for text"
    );
    for value in ["1.5", "-1", "1e3", "true", "[]", "{}", "[\"a\"]"] {
        assert_eq!(text(value), Err("NotText".to_owned()), "{value}");
    }
}

#[test]
fn flags_in_every_spelling() {
    let flag = |value: &str| read(value, |f| f.flag("f"));
    for value in ["true", "1", "\"1\"", "\"true\"", "\"True\"", "\"TRUE\""] {
        assert_eq!(flag(value), Ok(Some(true)), "{value}");
    }
    for value in ["false", "0", "\"0\"", "\"false\"", "\"False\""] {
        assert_eq!(flag(value), Ok(Some(false)), "{value}");
    }
    for value in [
        "\"yes\"",
        "\"on\"",
        "2",
        "1.0",
        "-1",
        "[]",
        "{}",
        "\" true\"",
    ] {
        assert_eq!(flag(value), Err("NotBool".to_owned()), "{value}");
    }
}

#[test]
fn lists_in_every_spelling() {
    let list = |value: &str| read(value, |f| f.list("f"));
    let both = || Ok(Some(vec!["a".to_owned(), "b".to_owned()]));
    for value in [
        r#"["a","b"]"#,
        r#""a,b""#,
        r#"" a , b,""#,
        r#"{"1":"b","0":"a"}"#,
    ] {
        assert_eq!(list(value), both(), "{value}");
    }
    assert_eq!(list(r#"["a",null,"","b"]"#), both());
    assert_eq!(list("[]"), Ok(Some(vec![])));
    for value in ["1", "true", "[1]", "[[]]", r#"{"a":"b"}"#, "[{}]"] {
        assert_eq!(list(value), Err("NotList".to_owned()), "{value}");
    }
}

#[test]
fn objects() {
    let size = |value: &str| read(value, |f| f.object("f").map(Members::len));
    assert_eq!(size(r#"{"a":1}"#), Ok(Some(1)));
    assert_eq!(size("{}"), Ok(Some(0)));
    assert_eq!(size("[]"), Ok(None), "an empty object as PHP writes it");
    for value in ["[1]", "\"a\"", "1", "true"] {
        assert_eq!(size(value), Err("NotObject".to_owned()), "{value}");
    }
}

#[test]
fn problems_of_an_inner_object_carry_its_name() {
    let members = json(r#"{"address":{"line1":"x"}}"#);
    let mut fields = Fields::new(&members, wording);
    let address = fields.object("address").unwrap();
    let city = fields.inside("address", address, |inner| {
        assert_eq!(inner.text("line1", 10).as_deref(), Some("x"));
        inner.required_text("city", 10)
    });
    assert_eq!(city, None);
    assert!(!fields.is_sound());
    let Err(Refusal::Invalid(problems)) = fields.finish() else {
        panic!()
    };
    assert_eq!(problems[0].field, "address.city");
    assert_eq!(problems[0].message, "address.city: Missing");
}

#[test]
fn uuids_come_back_in_lower_case() {
    let uuid = |value: &str| read(value, |f| f.uuid("f"));
    let lower = "9ef68e2e-3569-4f69-9f68-04c7e4bb007c";
    assert_eq!(uuid(&format!("\"{lower}\"")), Ok(Some(lower.to_owned())));
    assert_eq!(
        uuid(&format!("\"{}\"", lower.to_uppercase())),
        Ok(Some(lower.to_owned()))
    );
    for text in [
        lower.replace('-', ""),
        format!("{{{lower}}}"),
        format!("urn:uuid:{lower}"),
    ] {
        assert_eq!(
            uuid(&format!("\"{text}\"")),
            Err("NotUuid".to_owned()),
            "{text}"
        );
    }
    for value in ["\"x\"", "1", "true", "[]"] {
        assert_eq!(uuid(value), Err("NotUuid".to_owned()), "{value}");
    }
}

#[test]
fn addresses_anywhere() {
    let url = |text: &str| {
        let rule = UrlRule {
            max: 60,
            insecure: true,
            targets: None,
        };
        read(&format!("\"{text}\""), |f| f.url("f", rule))
    };
    for text in [
        "https://example.com",
        "http://127.0.0.1:8080/x?a=1#b",
        "HTTPS://Example.com/é",
        "http://localhost/",
        "http://[::1]:3000/",
        "https://shop.example/?wc-api=x&y=1",
    ] {
        assert_eq!(url(text), Ok(Some(text.to_owned())), "{text}");
    }
    for text in [
        "example.com",
        "/path",
        "//example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "https://",
        "https://user@example.com",
        "https://user:pass@example.com",
        "https:example.com",
        "https://exa mple.com",
        "https://example.com/a b",
        "https://example.com\\n",
        "app://x",
        "https://example.com:99999",
        " https://example.com",
        "https://:pass@example.com",
    ] {
        assert_eq!(url(text), Err("NotUrl".to_owned()), "{text}");
    }
    let long = format!("https://example.com/{}", "a".repeat(60));
    assert_eq!(url(&long), Err("TooLong(60)".to_owned()));
}

#[test]
fn addresses_in_live_mode() {
    let url = |text: &str| {
        let rule = UrlRule {
            max: 60,
            insecure: false,
            targets: None,
        };
        read(&format!("\"{text}\""), |f| f.url("f", rule)).map(|_| ())
    };
    for text in [
        "https://example.com/",
        "https://8.8.8.8/",
        "https://[2001:4860::8888]/x",
    ] {
        assert_eq!(url(text), Ok(()), "{text}");
    }
    for host in [
        "localhost",
        "LOCALHOST.",
        "shop.localhost",
        "printer.local",
        "db.internal",
        "intranet",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "[::]",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[::ffff:10.0.0.1]",
    ] {
        assert_eq!(
            url(&format!("https://{host}/")),
            Err("NotPublic".to_owned()),
            "{host}"
        );
    }
    assert_eq!(
        url("http://example.com/"),
        Err("NotPublic".to_owned()),
        "without TLS"
    );
}

#[test]
fn email_addresses() {
    let email = |text: &str| read(&format!("\"{text}\""), |f| f.email("f", EMAIL_MAX)).map(|_| ());
    for text in [
        "a@b",
        "tom@example.com",
        "t.o+m@mail.example.co",
        "jürgen@exämple.de",
    ] {
        assert_eq!(email(text), Ok(()), "{text}");
    }
    for text in [
        "tom",
        "@example.com",
        "tom@",
        "a@b@c",
        "a b@c.d",
        "a@b..c",
        "a@.b",
        "a@b.",
        "a@-b.c",
        "a,b@c.d",
        "<a@b.c>",
        ".a@b.c",
        "a.@b.c",
        "a..b@c.d",
        "a@b\\n",
    ] {
        assert_eq!(email(text), Err("NotEmail".to_owned()), "{text}");
    }
    assert_eq!(
        email(&format!("{}@b.c", "a".repeat(65))),
        Err("NotEmail".to_owned())
    );
    assert_eq!(
        email(&format!("a@{}", "b".repeat(253))),
        Err("TooLong(254)".to_owned())
    );
}

#[test]
fn numbers_within_bounds() {
    let number = |value: &str| read(value, |f| f.number("f", 1, 100));
    assert_eq!(number("1"), Ok(Some(1)));
    assert_eq!(number("\"100\""), Ok(Some(100)));
    for value in [
        "0",
        "101",
        "-1",
        "1.5",
        "1e1",
        "\"+5\"",
        "\"x\"",
        "99999999999999",
        "true",
    ] {
        assert_eq!(
            number(value),
            Err("NotBetween(1, 100)".to_owned()),
            "{value}"
        );
    }
}

#[test]
fn who_sends_decides_where_and_says_why_not() {
    let targets = Targets::new(|url| {
        let fine = url.starts_with("http://10.20.") || url.starts_with("https://shop.example/");
        fine.then_some(()).ok_or_else(|| "the rule".to_owned())
    });
    let url = |text: &str| {
        let rule = UrlRule {
            max: 60,
            insecure: false,
            targets: Some(&targets),
        };
        read(&format!("\"{text}\""), |f| f.url("f", rule)).map(|_| ())
    };
    assert_eq!(url("http://10.20.0.1/hook"), Ok(()));
    assert_eq!(url("https://shop.example/"), Ok(()));
    for text in [
        "http://10.21.0.1/",
        "http://shop.example/",
        "https://localhost/",
        "https://198.51.100.7/",
    ] {
        assert_eq!(url(text), Err("NotPublic (the rule)".to_owned()), "{text}");
    }
    assert_eq!(url("ftp://x/"), Err("NotUrl (the rule)".to_owned()));
    // It permits places, not forms.
    assert_eq!(url("http://10.20.0.1/a b"), Err("NotUrl".to_owned()));
    assert_eq!(url("http://10.20.@x/"), Err("NotUrl".to_owned()));
    let nobody = UrlRule {
        max: 60,
        insecure: false,
        targets: Some(&Targets::default()),
    };
    let local = read("\"https://localhost/\"", |f| f.url("f", nobody));
    assert_eq!(local, Err("NotPublic".to_owned()), "by its spelling");
}
