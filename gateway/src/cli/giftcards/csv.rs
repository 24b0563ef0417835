//! Comma-separated values as RFC 4180 has them: fields in quotes may hold commas, quotes (doubled)
//! and line ends. A file from a spreadsheet may begin with a byte order mark and end its lines
//! with CR LF.

/// A record and the line it begins on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) fields: Vec<String>,
}

/// Reads all records; lines without anything are left out. An error names its line.
pub(super) fn read(text: &str) -> Result<Vec<Record>, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let (mut fields, mut field) = (Vec::new(), String::new());
    let (mut line, mut begins) = (1, 1);
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '"' if field.is_empty() => {
                let opened = line;
                loop {
                    match rest.next() {
                        Some('"') if rest.peek() == Some(&'"') => {
                            rest.next();
                            field.push('"');
                        }
                        Some('"') => break,
                        Some(other) => {
                            line += usize::from(other == '\n');
                            field.push(other);
                        }
                        None => return Err((opened, "a quote is not closed".to_owned())),
                    }
                }
                if !matches!(rest.peek(), None | Some(',' | '\n' | '\r')) {
                    return Err((line, "something follows a closing quote".to_owned()));
                }
            }
            ',' => fields.push(std::mem::take(&mut field)),
            '\r' if matches!(rest.peek(), None | Some('\n')) => {}
            '\n' => {
                fields.push(std::mem::take(&mut field));
                keep(&mut records, begins, std::mem::take(&mut fields));
                line += 1;
                begins = line;
            }
            other => field.push(other),
        }
    }
    fields.push(field);
    keep(&mut records, begins, fields);
    Ok(records)
}

fn keep(records: &mut Vec<Record>, line: usize, fields: Vec<String>) {
    if fields.iter().any(|field| !field.trim().is_empty()) {
        records.push(Record { line, fields });
    }
}

/// One line with its end.
pub(super) fn line(fields: &[&str]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    format!("{}\n", fields.join(","))
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<String>> {
        let records = read(text).unwrap();
        records.into_iter().map(|record| record.fields).collect()
    }

    #[test]
    fn spreadsheets_are_read() {
        let text = "\u{feff}amount,reason\r\n500.00,\"Summer, \"\"big\"\"\r\ndraw\"\r\n\r\n,x";
        assert_eq!(
            fields(text),
            [
                vec!["amount", "reason"],
                vec!["500.00", "Summer, \"big\"\r\ndraw"],
                vec!["", "x"],
            ]
        );
        assert_eq!(fields(""), Vec::<Vec<String>>::new());
        let lines: Vec<usize> = read(text).unwrap().iter().map(|r| r.line).collect();
        assert_eq!(lines, [1, 2, 5]);
    }

    #[test]
    fn what_is_broken_names_its_line() {
        assert_eq!(read("a\n\"b").unwrap_err().0, 2);
        assert_eq!(read("a\n\"b\"c\n").unwrap_err().0, 2);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let row = ["1", "a,b", "say \"x\"", "two\nlines", ""];
        assert_eq!(fields(&line(&row)), [row.map(str::to_owned).to_vec()]);
    }
}
