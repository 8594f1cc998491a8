//! `${VAR}`, `${VAR:-default}` and `${file:/path}` in any text of the file; `$${` stands for `${`.
//!
//! What is filled in is not looked at again, so a variable's content can hold `${` and bring nothing in.

use super::mask::is_sensitive;
use super::problem::{Code, Problem};
use super::yaml::{Kind, Node, Scalar, join};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest file that `${file:…}` reads, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Where variables and files come from.
pub(crate) struct Variables<'a> {
    base_dir: &'a Path,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Variables<'a> {
    /// Variables from `lookup`; relative files from `base_dir`.
    pub(crate) fn new(base_dir: &'a Path, lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { base_dir, lookup }
    }
}

/// What filling in brought to light.
#[derive(Default)]
pub(crate) struct Filled {
    pub(crate) problems: Vec<Problem>,
    /// Files that were read, or would have been.
    pub(crate) files: Vec<PathBuf>,
}

/// Fills in every text below `root`.
pub(crate) fn fill(root: &mut Node, source: &str, variables: &Variables<'_>) -> Filled {
    let mut walk = Walk { lines: source.split('\n').collect(), variables, filled: Filled::default() };
    walk.node(root, "");
    walk.filled
}

struct Walk<'a> {
    lines: Vec<&'a str>,
    variables: &'a Variables<'a>,
    filled: Filled,
}

/// Why a `${…}` cannot be filled in, and what to do.
struct Failure {
    code: Code,
    message: String,
    help: String,
}

impl Walk<'_> {
    fn node(&mut self, node: &mut Node, path: &str) {
        match &mut node.kind {
            Kind::Null | Kind::Broken => {}
            Kind::Scalar(scalar) if scalar.text.contains("${") => {
                let (line, column) = (node.line, node.column);
                match self.expand(&scalar.text, path, line, column) {
                    Some(text) => {
                        let written = std::mem::take(&mut scalar.text);
                        *scalar = Scalar { text, plain: scalar.plain, written: Some(written) };
                    }
                    None => node.kind = Kind::Broken,
                }
            }
            Kind::Scalar(_) => {}
            Kind::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(item, &format!("{path}[{index}]"));
                }
            }
            Kind::Mapping(entries) => {
                for (key, value) in entries {
                    self.node(value, &join(path, &key.text));
                }
            }
        }
    }

    /// The text filled in; `None` when something in it could not be, which is reported.
    fn expand(&mut self, text: &str, path: &str, line: usize, column: usize) -> Option<String> {
        let (mut out, mut rest, mut whole) = (String::new(), text, true);
        while let Some(at) = rest.find("${") {
            if let Some(before) = rest[..at].strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            out.push_str(&rest[..at]);
            let body = &rest[at + 2..];
            let end = body.find('}');
            let value = match end {
                Some(end) => self.value(&body[..end], path),
                None => Err(unclosed()),
            };
            let written = &rest[at..end.map_or(rest.len(), |end| at + 2 + end + 1)];
            match value {
                Ok(value) => out.push_str(&value),
                Err(failure) => {
                    whole = false;
                    self.report(failure, written, path, line, column);
                }
            }
            rest = end.map_or("", |end| &body[end + 1..]);
        }
        out.push_str(rest);
        whole.then_some(out)
    }

    fn value(&mut self, body: &str, path: &str) -> Result<String, Failure> {
        if let Some(path) = body.strip_prefix("file:") {
            return self.file(path);
        }
        let (name, default) =
            body.split_once(":-").map_or((body, None), |(name, default)| (name, Some(default)));
        let well_formed = name.bytes().enumerate().all(|(index, byte)| {
            byte == b'_' || byte.is_ascii_alphabetic() || (index > 0 && byte.is_ascii_digit())
        });
        if name.is_empty() || !well_formed {
            return Err(Failure {
                code: Code::Variable,
                message: "this `${…}` does not name a variable".to_owned(),
                help: "write `${NAME}`, `${NAME:-default}` or `${file:/path}`; `$${` stands for `${` itself"
                    .to_owned(),
            });
        }
        let found = (self.variables.lookup)(name);
        match (found, default) {
            (Some(value), None) => Ok(value),
            // As in a shell: an empty variable takes the default too.
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(Failure {
                code: Code::Variable,
                message: format!("the environment variable `{name}` is not set"),
                help: match path.rsplit('.').next().is_some_and(is_sensitive) {
                    // A secret with a default is a secret that everybody knows.
                    true => "set it before the start, or name a file: `${file:/path}`".to_owned(),
                    false => format!("set it, or give a default: `${{{name}:-default}}`"),
                },
            }),
        }
    }

    fn file(&mut self, path: &str) -> Result<String, Failure> {
        let resolved = self.variables.base_dir.join(path);
        self.filled.files.push(resolved.clone());
        let text = read_bounded(&resolved).map_err(|error| Failure {
            code: Code::File,
            message: format!("cannot read the file `{}`: {error}", resolved.display()),
            help: "check the path, and that this user may read it".to_owned(),
        })?;
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    fn report(&mut self, failure: Failure, written: &str, path: &str, line: usize, column: usize) {
        let column = self.column_of(written, line, column);
        let problem = Problem::new(failure.code, path.to_owned(), line, column, failure.message);
        self.filled.problems.push(problem.help(failure.help));
    }

    /// Where the `${…}` itself stands, when it is on the scalar's first line; else the scalar's place.
    fn column_of(&self, written: &str, line: usize, column: usize) -> usize {
        let start = |text: &str| text.char_indices().nth(column - 1).map(|(at, _)| at);
        let found = self.lines.get(line - 1).and_then(|text| {
            let from = start(text)?;
            text[from..].find(written).map(|at| text[from..from + at].chars().count())
        });
        column + found.unwrap_or(0)
    }
}

fn unclosed() -> Failure {
    Failure {
        code: Code::Variable,
        message: "this `${` is not closed".to_owned(),
        help: "close it with `}`, or write `$${` for the two characters themselves".to_owned(),
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    // Never opened unless it is a file: opening a pipe that nobody writes to would wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn filled(source: &str) -> (String, Vec<String>) {
        let lookup = |name: &str| match name {
            "NAME" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${NAME}".to_owned()),
            _ => None,
        };
        let mut root = yaml::parse(source).0.unwrap();
        let outcome = fill(&mut root, source, &Variables::new("/nowhere".as_ref(), &lookup));
        let problems =
            outcome.problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.message)).collect();
        let Kind::Mapping(entries) = root.kind else { panic!() };
        match &entries[0].1.kind {
            Kind::Scalar(scalar) => (scalar.text.clone(), problems),
            _ => (String::new(), problems),
        }
    }

    #[test]
    fn variables_are_filled_in_once() {
        for (source, want) in [
            ("a: ${NAME}", "value"),
            ("a: x${NAME}y${NAME}", "xvalueyvalue"),
            ("a: ${NONE:-default}", "default"),
            ("a: ${EMPTY:-default}", "default"),
            ("a: ${NONE:-}", ""),
            ("a: ${EMPTY}", ""),
            ("a: ${TRICK}", "${NAME}"),
            ("a: $${NAME}", "${NAME}"),
            ("a: $$${NAME}", "$${NAME}"),
            ("a: 5$", "5$"),
        ] {
            assert_eq!(filled(source), (want.to_owned(), vec![]), "{source}");
        }
    }

    #[test]
    fn what_is_missing_is_reported_at_its_spot() {
        assert_eq!(
            filled("a: \"x ${NONE} ${OTHER}\"").1,
            [
                "1:7 the environment variable `NONE` is not set",
                "1:15 the environment variable `OTHER` is not set",
            ]
        );
        assert_eq!(filled("a: ${NAME").1, ["1:4 this `${` is not closed"]);
        assert_eq!(filled("a: ${1x}").1, ["1:4 this `${…}` does not name a variable"]);
        assert!(filled("a: ${file:missing}").1[0].contains("/nowhere/missing"));
    }

    #[test]
    fn a_file_loses_its_last_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "line one\nline two\n").unwrap();
        let source = format!("a: ${{file:{}}}", file.path().display());
        assert_eq!(filled(&source), ("line one\nline two".to_owned(), vec![]));
    }
}
