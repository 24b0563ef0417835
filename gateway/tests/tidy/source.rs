//! Reading the project: its text files, and Rust sources taken apart just far enough to tell code
//! from comments and strings, and production from tests.

use std::fs;
use std::path::Path;

/// A text file of the project.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path from the root, with forward slashes.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl File {
    /// A file that exists only in a test.
    pub fn sample(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Is it Rust?
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Is it Rust of the product: below the `src` of one of the four crates?
    pub fn is_product(&self) -> bool {
        let below = |of: &str| {
            self.path
                .strip_prefix(of)
                .is_some_and(|p| p.starts_with("/src/"))
        };
        self.is_rust()
            && ["domain", "store", "dialects", "gateway"]
                .into_iter()
                .any(below)
    }

    /// Does it belong to this very test? Its samples break every rule on purpose.
    pub fn is_tidy(&self) -> bool {
        self.path == "gateway/tests/tidy.rs" || self.path.starts_with("gateway/tests/tidy/")
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 6] = [
    "target",
    ".git",
    "node_modules",
    "florin-data",
    "shots",
    "fuzz",
];

/// Every text file below a folder, sorted by path.
pub fn tree(root: &Path) -> Vec<File> {
    let mut files = Vec::new();
    walk(root, "", &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            // What is not UTF-8 (a picture) is no text and no concern of these rules.
            files.push(File { path, text });
        }
    }
}

/// A Rust source taken apart. Line numbers are those of the file, from 1.
#[derive(Debug, Default)]
pub struct Source {
    /// Code by line: comments gone, strings and characters emptied.
    pub code: Vec<String>,
    /// String literals and the line on which each begins.
    pub strings: Vec<(usize, String)>,
    /// By line: does it belong to a module marked `#[cfg(test)]`?
    pub test: Vec<bool>,
}

impl Source {
    /// Takes a text apart.
    pub fn read(text: &str) -> Self {
        let mut source = Reader::new(text).run();
        source.mark_tests();
        source
    }

    /// Lines of code with their numbers: production only, or tests only.
    pub fn lines(&self, tests: bool) -> impl Iterator<Item = (usize, &str)> {
        let marked = self.code.iter().zip(&self.test).enumerate();
        marked
            .filter(move |(_, (_, test))| **test == tests)
            .map(|(i, (code, _))| (i + 1, &**code))
    }

    /// How many lines are not in a test module.
    pub fn production_lines(&self) -> usize {
        self.test.iter().filter(|test| !**test).count()
    }

    /// A module after `#[cfg(test)]` reaches from the attribute to the brace that closes it.
    fn mark_tests(&mut self) {
        self.test = vec![false; self.code.len()];
        let mut line = 0;
        while line < self.code.len() {
            if self.code[line].trim() != "#[cfg(test)]" {
                line += 1;
                continue;
            }
            let mut depth = 0_i64;
            let mut begun = false;
            while line < self.code.len() {
                self.test[line] = true;
                for c in self.code[line].chars() {
                    depth += i64::from(c == '{') - i64::from(c == '}');
                    begun = begun || c == '{' || c == ';';
                }
                line += 1;
                if begun && depth == 0 {
                    break;
                }
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    before: char,
    line: usize,
    out: Source,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let out = Source {
            code: vec![String::new()],
            ..Source::default()
        };
        Self {
            rest: text,
            before: ' ',
            line: 1,
            out,
        }
    }

    fn run(mut self) -> Source {
        while let Some(c) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.drop(end);
            } else if self.rest.starts_with("/*") {
                self.block_comment();
            } else if let Some(hashes) = self.raw_string() {
                self.raw(hashes);
            } else if c == '"' {
                self.quoted();
            } else if c == '\'' && self.is_char_literal() {
                self.char_literal();
            } else {
                self.keep(c);
            }
        }
        // A text that ends with a line feed has no further, empty line.
        if self.out.code.last().is_some_and(String::is_empty) {
            self.out.code.pop();
        }
        self.out
    }

    fn keep(&mut self, c: char) {
        if c == '\n' {
            self.line += 1;
            self.out.code.push(String::new());
        } else if let Some(code) = self.out.code.last_mut() {
            code.push(c);
        }
        self.before = c;
        self.rest = &self.rest[c.len_utf8()..];
    }

    /// Skips bytes of the text, keeping only the line feeds, and gives what was skipped.
    fn drop(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes);
        for _ in skipped.matches('\n') {
            self.line += 1;
            self.out.code.push(String::new());
        }
        self.before = ' ';
        self.rest = rest;
        skipped
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        let mut at = 0;
        while at < self.rest.len() {
            let here = &self.rest[at..];
            if here.starts_with("/*") {
                depth += 1;
                at += 2;
            } else if here.starts_with("*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            } else {
                at += here.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.drop(at);
    }

    /// The number of hashes if a raw string begins here.
    fn raw_string(&self) -> Option<usize> {
        if self.before.is_alphanumeric() || self.before == '_' {
            return None;
        }
        let rest = self.rest.strip_prefix(['b', 'c']).unwrap_or(self.rest);
        let rest = rest.strip_prefix('r')?;
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        rest[hashes..].starts_with('"').then_some(hashes)
    }

    fn raw(&mut self, hashes: usize) {
        let open = self.rest.find('"').unwrap_or(0) + 1;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = self.rest[open..]
            .find(&close)
            .map_or(self.rest.len(), |end| open + end);
        self.literal(open, end, (end + close.len()).min(self.rest.len()));
    }

    fn quoted(&mut self) {
        let end = after_escapes(&self.rest[1..], '"') + 1;
        self.literal(1, end, (end + 1).min(self.rest.len()));
    }

    fn literal(&mut self, from: usize, to: usize, end: usize) {
        let line = self.line;
        self.out
            .strings
            .push((line, self.rest[from..to].to_owned()));
        if let Some(code) = self.out.code.last_mut() {
            code.push_str("\"\"");
        }
        self.drop(end);
    }

    /// `'a'` and `'\n'` are characters, `'a` is a lifetime.
    fn is_char_literal(&self) -> bool {
        let mut chars = self.rest.chars().skip(1);
        match (chars.next(), chars.next()) {
            (Some('\\'), _) => true,
            (Some(_), Some(next)) => next == '\'',
            _ => false,
        }
    }

    fn char_literal(&mut self) {
        let end = after_escapes(&self.rest[1..], '\'') + 2;
        if let Some(code) = self.out.code.last_mut() {
            code.push_str("' '");
        }
        self.drop(end.min(self.rest.len()));
    }
}

/// Where a quote stands that no backslash escapes.
fn after_escapes(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// Does a line of code hold this word, with nothing of a name to its left or right?
pub fn has_word(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[test]
fn code_comments_and_strings_are_told_apart() {
    let source = Source::read(concat!(
        "let a = \"one // not a comment \\\" two\"; // f64 here\n",
        "/* a /* nested */ comment\n over lines */ let b = r#\"raw \"quoted\" text\"#;\n",
        "let c = ('\"', '\\'', b'x'); fn f<'a>(x: &'a str) {}\n",
    ));
    let code: Vec<&str> = source.code.iter().map(|line| line.trim()).collect();
    assert_eq!(
        code,
        [
            "let a = \"\";",
            "",
            "let b = \"\";",
            "let c = (' ', ' ', b' '); fn f<'a>(x: &'a str) {}"
        ]
    );
    let strings: Vec<(usize, &str)> = source.strings.iter().map(|(l, s)| (*l, &**s)).collect();
    assert_eq!(
        strings,
        [
            (1, "one // not a comment \\\" two"),
            (3, "raw \"quoted\" text")
        ]
    );
}

#[test]
fn test_modules_are_not_production() {
    let source = Source::read(
        "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n\
         #[cfg(test)]\nmod more;\nfn d() {}\n",
    );
    let lines: Vec<usize> = source.lines(false).map(|(line, _)| line).collect();
    assert_eq!(lines, [1, 7, 10]);
    assert_eq!(source.production_lines(), 3);
}

#[test]
fn words_are_whole() {
    assert!(has_word("a: f64,", "f64") && has_word("f64", "f64"));
    assert!(!has_word("sf64", "f64") && !has_word("f64_x", "f64"));
}
