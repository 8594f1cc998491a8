//! Keys and values of one section, read with the accessors of [`Value`]; see `document` for how it is used.

use super::document::Value;
use super::mask;
use super::problem::{Code, Problem};
use super::yaml::{Key, Node, join};

/// Keys and values.
#[derive(Clone)]
pub(crate) struct Section<'d> {
    value: Value<'d>,
    entries: &'d [(Key, Node)],
}

impl<'d> Section<'d> {
    pub(super) fn new(value: Value<'d>, entries: &'d [(Key, Node)]) -> Self {
        Self { value, entries }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<Value<'d>> {
        let (key, node) = self.entries.iter().find(|(k, _)| k.text == key)?;
        Some(self.value.child(&key.text, node))
    }

    /// The value of a key that must be there; reports when it is not.
    pub(crate) fn required(&self, key: &str) -> Option<Value<'d>> {
        let found = self.get(key);
        if found.is_none() {
            self.report_missing(key, None);
        }
        found
    }

    /// Reports that a key is missing.
    pub(crate) fn report_missing(&self, key: &str, help: Option<&str>) {
        let path = self.value.path();
        let holder = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
        let (line, column) = self.value.place();
        let message = format!("{holder} lacks the key `{key}`");
        let problem = Problem::new(Code::MissingKey, join(path, key), line, column, message);
        self.value.push(Problem { help: help.map(str::to_owned), ..problem });
    }

    /// The text of a key, if it is there.
    pub(crate) fn optional_str(&self, key: &str) -> Option<&'d str> {
        self.optional(key, Value::text)
    }

    /// A key read with one of [`Value`]'s accessors, if it is there.
    pub(crate) fn optional<T>(&self, key: &str, read: impl FnOnce(&Value<'d>) -> Option<T>) -> Option<T> {
        self.get(key).and_then(|value| read(&value))
    }

    /// The items of the list under a key; none when the key is missing.
    pub(crate) fn items(&self, key: &str) -> Vec<Value<'d>> {
        self.optional(key, Value::items).unwrap_or_default()
    }

    /// The texts of the list under a key; none when the key is missing.
    pub(crate) fn texts(&self, key: &str) -> Vec<&'d str> {
        self.items(key).iter().filter_map(Value::non_empty).collect()
    }

    /// Keys and values in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'d Key, Value<'d>)> {
        self.entries.iter().map(|(key, node)| (key, self.value.child(&key.text, node)))
    }

    /// Reports a problem at a key.
    pub(crate) fn report_key(&self, key: &Key, code: Code, message: String, help: &str) {
        let path = join(self.value.path(), &key.text);
        self.value.push(Problem::new(code, path, key.line, key.column, message).help(help));
    }
}

/// The message for a key that nothing reads.
pub(crate) fn unknown_key(key: &Key, path: &str) -> String {
    let place = if path.is_empty() { "at the top of the file".to_owned() } else { format!("in `{path}`") };
    format!("unknown key `{}` {place}", mask::text(&key.text).escape_debug())
}
