//! A YAML file being read: typed access to its values, and every mistake collected on the way.
//!
//! Used for the configuration and for fixtures. Reading never stops at a mistake: an accessor that cannot give a value
//! reports why, at the value's place, and gives `None`; the caller goes on with the next key and gives up only at the
//! end, where [`Document::finish`] hands out either what was made or all the [`Problems`].
//!
//! ```text
//! let document = Document::read(source, "fixture.yaml", &Variables::new(base_dir, &env));
//! let fixture = document.root().and_then(|root| {
//!     let root = root.section(&["organizations"])?;              // reports other keys, with a suggestion
//!     let mut made = Vec::new();
//!     for item in root.items("organizations") {                  // [] when the key is missing
//!         let Some(item) = item.section(&["id", "slug", "active"]) else { continue };
//!         let id = item.required("id").and_then(|id| id.non_empty());   // reports when missing or not a text
//!         let slug = item.required("slug").and_then(|slug| {     // a check of its own
//!             let text = slug.text()?;
//!             if text.contains('/') {
//!                 slug.report(Code::InvalidValue, "a slug cannot hold `/`", Some("remove it"));
//!                 return None;
//!             }
//!             Some(text)
//!         });
//!         let active = item.optional("active", Value::boolean).unwrap_or(true);
//!         if let (Some(id), Some(slug)) = (id, slug) { made.push((id, slug, active)); }
//!     }
//!     Some(made)
//! });
//! let fixture = document.finish(fixture)?;                       // Err(Problems): print it, it is the diagnostics
//! ```
//!
//! A place is reported once: what is said first stays. So a key may be checked in general and read again later.

use super::mask::{self, is_sensitive};
use super::problem::{Code, Problem, Problems};
use super::section::{Section, unknown_key};
use super::substitute::{self, Variables};
use super::suggest::nearest;
use super::units;
use super::yaml::{self, Kind, Node, Scalar, join};
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

/// A file being read.
pub(crate) struct Document {
    file: String,
    source: String,
    root: Option<Node>,
    files: Vec<PathBuf>,
    reports: RefCell<Reports>,
}

#[derive(Default)]
struct Reports {
    list: Vec<Problem>,
    places: HashSet<(usize, usize, String)>,
}

impl Document {
    /// Parses `source` and fills in its `${…}`. `file` is the name that diagnostics show.
    pub(crate) fn read(source: &str, file: &str, variables: &Variables<'_>) -> Self {
        let (mut root, problems) = yaml::parse(source);
        let reports = RefCell::default();
        let mut document =
            Self { file: file.to_owned(), source: source.to_owned(), root: None, files: Vec::new(), reports };
        problems.into_iter().for_each(|problem| document.push(problem));
        if let Some(root) = &mut root {
            let filled = substitute::fill(root, source, variables);
            filled.problems.into_iter().for_each(|problem| document.push(problem));
            document.files = filled.files;
        }
        document.root = root;
        document
    }

    /// The top of the file; `None` when it is not YAML or is empty, which is reported.
    pub(crate) fn root(&self) -> Option<Value<'_>> {
        let node = self.root.as_ref();
        if node.is_none_or(|node| matches!(node.kind, Kind::Null)) {
            if self.reports.borrow().list.is_empty() {
                self.push(Problem::new(Code::Syntax, String::new(), 1, 1, "the file is empty".to_owned()));
            }
            return None;
        }
        node.map(|node| Value { document: self, node, path: Rc::from("") })
    }

    /// The files that `${file:…}` named and that were read.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What was made, if nothing was reported.
    ///
    /// # Errors
    /// Every problem of the file.
    pub(crate) fn finish<T>(self, made: Option<T>) -> Result<T, Problems> {
        let mut list = self.reports.into_inner().list;
        if let Some(made) = made {
            if list.is_empty() {
                return Ok(made);
            }
        } else if list.is_empty() {
            // Cannot happen while every `None` is reported where it arises; said rather than panicked over.
            let message =
                "the file cannot be used, and the reason was not recorded: please report this".to_owned();
            list.push(Problem::new(Code::Syntax, String::new(), 1, 1, message));
        }
        Err(Problems::new(&self.file, &self.source, list))
    }

    /// Records a problem unless something was said about its place already.
    pub(crate) fn push(&self, problem: Problem) {
        let mut reports = self.reports.borrow_mut();
        if reports.places.insert((problem.line, problem.column, problem.path.clone())) {
            reports.list.push(problem);
        }
    }
}

/// A value and the way to it.
#[derive(Clone)]
pub(crate) struct Value<'d> {
    document: &'d Document,
    node: &'d Node,
    path: Rc<str>,
}

impl<'d> Value<'d> {
    /// Where it is in the structure, e.g. `apis[0].routes[3].upstream`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its line, from 1.
    pub(crate) fn line(&self) -> usize {
        self.node.line
    }

    /// Its column, from 1.
    pub(crate) fn column(&self) -> usize {
        self.node.column
    }

    /// Reports a problem at this value.
    pub(crate) fn report(&self, code: Code, message: impl Into<String>, help: Option<&str>) {
        let problem =
            Problem::new(code, self.path.to_string(), self.node.line, self.node.column, message.into());
        self.document.push(Problem { help: help.map(str::to_owned), ..problem });
    }

    /// Whether nothing stands there: empty, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.kind, Kind::Null)
    }

    /// Whether it is a section (keys and values).
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.kind, Kind::Sequence(_))
    }

    /// Whether it is a section.
    pub(crate) fn is_section(&self) -> bool {
        matches!(self.node.kind, Kind::Mapping(_))
    }

    /// The text of a scalar, if it is one; reports nothing.
    pub(crate) fn peek(&self) -> Option<&'d str> {
        match &self.node.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            Kind::Null | Kind::Broken | Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// The value as messages may show it: as written in the file, shortened, never a secret.
    pub(crate) fn shown(&self) -> String {
        let written = match &self.node.kind {
            Kind::Scalar(scalar) => scalar.written.as_ref().unwrap_or(&scalar.text),
            Kind::Null | Kind::Broken => return "nothing".to_owned(),
            Kind::Sequence(_) => return "a list".to_owned(),
            Kind::Mapping(_) => return "a section".to_owned(),
        };
        if self.path.rsplit(['.', '[']).next().is_some_and(is_sensitive) {
            return "`***`".to_owned();
        }
        // A quote that is not closed can bring half the file, secrets included, into one value.
        let written = mask::text(written);
        let short: String = written.chars().take(60).flat_map(char::escape_debug).collect();
        let rest = if written.chars().nth(60).is_some() { "…" } else { "" };
        format!("`{short}{rest}`")
    }

    /// A text, written with or without quotes.
    pub(crate) fn text(&self) -> Option<&'d str> {
        let text = self.scalar("a text").map(|scalar| scalar.text.as_str())?;
        if text.contains('\0') {
            self.report(Code::InvalidValue, "a text must not have the character U+0000", None);
            return None;
        }
        Some(text)
    }

    /// A text that is not empty.
    pub(crate) fn non_empty(&self) -> Option<&'d str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.report(Code::InvalidValue, "this must not be empty", None);
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Option<bool> {
        const WHAT: &str = "`true` or `false`";
        match self.unquoted(WHAT)? {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.wrong(WHAT),
        }
    }

    /// A whole number within bounds, both included.
    pub(crate) fn integer(&self, least: u64, most: u64) -> Option<u64> {
        const WHAT: &str = "a whole number";
        let text = self.unquoted(WHAT)?;
        let digits = text.replace('_', "");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return self.wrong(WHAT);
        }
        let bounds = |n: &u64| (least..=most).contains(n);
        let number = digits.parse().ok().filter(bounds);
        if number.is_none() {
            let message = match most {
                u64::MAX => format!("{} is too small: at least {least}", self.shown()),
                _ => format!("{} is out of range: {least} to {most}", self.shown()),
            };
            self.report(Code::InvalidValue, message, None);
        }
        number
    }

    /// A number within bounds, both included.
    pub(crate) fn number(&self, least: f64, most: f64) -> Option<f64> {
        const WHAT: &str = "a number";
        let text = self.unquoted(WHAT)?;
        let Some(number) = f64::from_str(text).ok().filter(|n| n.is_finite()) else {
            return self.wrong(WHAT);
        };
        if !(least..=most).contains(&number) {
            let message = format!("{} is out of range: {least} to {most}", self.shown());
            self.report(Code::InvalidValue, message, None);
            return None;
        }
        Some(number)
    }

    /// A duration such as `250ms`, `5s`, `1m`, `1h`, `30d`; never zero.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let text = self.scalar("a duration such as `30s`")?.text.as_str();
        units::duration(text).map_err(|error| self.unit_error(&error)).ok()
    }

    /// A size in bytes, such as `64KiB`, `50MiB` or a plain number; never zero.
    pub(crate) fn size(&self) -> Option<u64> {
        let text = self.scalar("a size such as `64KiB`")?.text.as_str();
        units::size(text).map_err(|error| self.unit_error(&error)).ok()
    }

    fn unit_error(&self, error: &units::UnitError) {
        let message = format!("{} {error}", self.shown());
        self.report(Code::InvalidValue, message, Some(error.help()));
    }

    /// One of some words.
    pub(crate) fn choice(&self, words: &[&'static str]) -> Option<&'static str> {
        let text = self.scalar(&one_of(words))?.text.as_str();
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Some(word);
        }
        let message = format!("{} is not known: it must be {}", self.shown(), one_of(words));
        let help = nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?"));
        self.report(Code::InvalidValue, message, help.as_deref());
        None
    }

    /// Anything that parses from a text; `what` completes "expected …".
    pub(crate) fn parse<T: FromStr>(&self, what: &str, help: Option<&str>) -> Option<T> {
        let text = self.scalar(what)?.text.as_str();
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.report(Code::InvalidValue, format!("{} is not {what}", self.shown()), help);
        }
        parsed
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<Vec<Value<'d>>> {
        let Kind::Sequence(items) = &self.node.kind else { return self.wrong("a list") };
        let item = |(index, node)| Value {
            document: self.document,
            node,
            path: Rc::from(format!("{}[{index}]", self.path)),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A section with these keys; any other key is reported.
    pub(crate) fn section(&self, keys: &[&str]) -> Option<Section<'d>> {
        let section = self.any_section()?;
        for (key, _) in section.entries() {
            if !keys.contains(&key.text.as_str()) {
                let help =
                    nearest(&key.text, keys.iter().copied()).map(|near| format!("did you mean `{near}`?"));
                let fallback = format!("known keys: {}", keys.join(", "));
                section.report_key(
                    key,
                    Code::UnknownKey,
                    unknown_key(key, &self.path),
                    &help.unwrap_or(fallback),
                );
            }
        }
        Some(section)
    }

    /// The value under a key of this section.
    pub(super) fn child(&self, key: &str, node: &'d Node) -> Value<'d> {
        Value { document: self.document, node, path: Rc::from(join(&self.path, key)) }
    }

    /// Records a problem of this value's file.
    pub(super) fn push(&self, problem: Problem) {
        self.document.push(problem);
    }

    /// Its line and column.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.node.line, self.node.column)
    }

    /// A section whose keys are names that the file chooses, or that were checked already.
    pub(crate) fn any_section(&self) -> Option<Section<'d>> {
        match &self.node.kind {
            Kind::Mapping(entries) => Some(Section::new(self.clone(), entries)),
            Kind::Null | Kind::Broken | Kind::Scalar(_) | Kind::Sequence(_) => self.wrong("a section"),
        }
    }

    fn scalar(&self, what: &str) -> Option<&'d Scalar> {
        match &self.node.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::Null | Kind::Broken | Kind::Sequence(_) | Kind::Mapping(_) => self.wrong(what),
        }
    }

    /// A scalar that may be a number or a boolean. What came out of `${…}` counts as unquoted: nobody can write
    /// `{ per: ${N} }` without quotes in every YAML style.
    fn unquoted(&self, what: &str) -> Option<&'d str> {
        let scalar = self.scalar(what)?;
        if !scalar.plain && scalar.written.is_none() {
            let message = format!("expected {what}, found the text {}", self.shown());
            self.report(Code::WrongType, message, Some("remove the quotes"));
            return None;
        }
        Some(scalar.text.trim())
    }

    /// Reports the wrong type, unless the value was reported before.
    fn wrong<T>(&self, what: &str) -> Option<T> {
        let help = match self.node.kind {
            Kind::Broken => return None,
            Kind::Null => Some("give it a value, or remove the key"),
            Kind::Scalar(_) | Kind::Sequence(_) | Kind::Mapping(_) => None,
        };
        self.report(Code::WrongType, format!("expected {what}, found {}", self.shown()), help);
        None
    }
}

/// "`a`", "`a` or `b`", "one of `a`, `b`, `c`".
fn one_of(words: &[&str]) -> String {
    match words {
        [one] => format!("`{one}`"),
        [one, two] => format!("`{one}` or `{two}`"),
        many => format!("one of `{}`", many.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Document {
        Document::read(source, "f.yaml", &Variables::new("/".as_ref(), &|_| None))
    }

    #[test]
    fn mistakes_are_collected_and_reading_goes_on() {
        let document = read("list: [{ id: a, nmae: x }, { id: [], size: 5q }, 7]\n");
        let root = document.root().unwrap().section(&["list"]).unwrap();
        for item in root.items("list") {
            let Some(item) = item.section(&["id", "name", "size"]) else { continue };
            item.required("id").and_then(|id| id.non_empty());
            item.required("name").and_then(|name| name.non_empty());
            item.optional("size", Value::size);
        }
        let problems = document.finish(Some(())).unwrap_err();
        let found: Vec<_> =
            problems.iter().map(|p| format!("{} {} {}", p.column, p.path, p.code.as_str())).collect();
        assert_eq!(
            found,
            [
                "8 list[0].name missing-key",
                "17 list[0].nmae unknown-key",
                "28 list[1].name missing-key",
                "34 list[1].id wrong-type",
                "44 list[1].size invalid-value",
                "50 list[2] wrong-type",
            ]
        );
    }

    #[test]
    fn a_place_is_reported_once() {
        let document = read("a: x\n");
        let a = document.root().unwrap().section(&["a"]).unwrap().get("a").unwrap();
        assert_eq!((a.boolean(), a.integer(0, 5)), (None, None));
        assert_eq!(document.finish(Some(())).unwrap_err().count(), 1);
    }

    #[test]
    fn numbers_are_not_texts_and_texts_are_not_numbers() {
        let document = read("a: 5\nb: \"5\"\nc: 1_000\nd: -1\ne: 0.5\n");
        let root = document.root().unwrap().any_section().unwrap();
        let int = |key: &str| root.get(key).unwrap().integer(1, 10_000);
        assert_eq!(
            (int("a"), int("b"), int("c"), int("d"), int("e")),
            (Some(5), None, Some(1000), None, None)
        );
        assert_eq!(root.get("e").unwrap().number(0.0, 1.0), Some(0.5));
        assert_eq!(root.get("a").unwrap().text(), Some("5"));
    }

    #[test]
    fn an_empty_file_says_so() {
        for source in ["", "# nothing\n", "~\n"] {
            let document = read(source);
            assert!(document.root().is_none());
            assert!(document.finish::<()>(None).unwrap_err().to_string().contains("empty"));
        }
    }
}
