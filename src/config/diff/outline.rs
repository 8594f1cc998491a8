//! A configuration as it stands in its file, kept for comparison: the meaning of each value, and what may be shown of it.

use crate::config::document::Value;
use crate::config::mask::{is_sensitive, names_a_variable};
use crate::config::schema::{Key, Type};
use crate::config::units;
use crate::token::Digest;
use std::net::SocketAddr;

/// Words in a key whose value is not shown, beside those that diagnostics hide: header fields that carry credentials.
const CREDENTIALS: [&str; 5] = ["authorization", "cookie", "token", "api-key", "api_key"];

/// A whole file.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    pub(super) root: Part,
}

/// A value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing stands there.
    #[default]
    Nothing,
    /// A text, number or the like.
    Scalar(Scalar),
    /// A list.
    List(Vec<Part>),
    /// Keys and values, in the order of the file.
    Section(Vec<(String, Part)>),
}

/// A text, number or the like.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    /// The same for `60s` and `1m`. A digest where the value is not to be known.
    pub(super) meaning: String,
    /// As it may be shown; nothing for a secret.
    pub(super) shown: Option<String>,
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.meaning == other.meaning
    }
}

impl Eq for Scalar {}

impl Outline {
    /// Of a file that compiles, whose keys are these.
    pub(crate) fn new(root: &Value<'_>, keys: &'static [Key]) -> Self {
        Self { root: Part::new(root, Some(Type::Section(keys)), &Place::default()) }
    }
}

/// Where a value stands, as far as it says what may be shown.
#[derive(Clone, Copy, Default)]
struct Place<'k> {
    key: &'k str,
    /// The key around it.
    around: &'k str,
    /// It is the value of a header field: any of them may be a credential.
    field: bool,
}

impl<'k> Place<'k> {
    fn child(self, key: &'k str) -> Self {
        let altered = matches!(self.around, "request_headers" | "response_headers");
        let field = self.field || altered && matches!(self.key, "set" | "add");
        Self { key, around: self.key, field }
    }
}

impl Part {
    fn new(value: &Value<'_>, kind: Option<Type>, place: &Place<'_>) -> Self {
        if value.is_null() {
            return Self::Nothing;
        }
        if value.is_list() {
            let item = match kind {
                Some(Type::List(item)) => Some(*item),
                _ => None,
            };
            return Self::List(value.items().iter().flatten().map(|it| Self::new(it, item, place)).collect());
        }
        if value.is_section() {
            let section = value.any_section();
            let entries = section.iter().flat_map(|section| section.entries());
            let part = |(key, value): (&crate::config::yaml::Key, Value<'_>)| {
                (key.text.clone(), Self::new(&value, child(kind, &key.text), &place.child(&key.text)))
            };
            return Self::Section(entries.map(part).collect());
        }
        Self::Scalar(Scalar::new(value, kind, place))
    }

    /// The value under a key of a section.
    pub(super) fn get(&self, key: &str) -> &Part {
        match self {
            Self::Section(entries) => {
                entries.iter().find(|(name, _)| name == key).map_or(&Self::Nothing, |(_, part)| part)
            }
            _ => &Self::Nothing,
        }
    }

    /// The meaning of a scalar; empty for anything else.
    pub(super) fn meaning(&self) -> &str {
        match self {
            Self::Scalar(scalar) => &scalar.meaning,
            _ => "",
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> &[Part] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// As it may be shown, in one line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Scalar(scalar) => scalar.shown.clone().unwrap_or_else(|| "(not shown)".to_owned()),
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Section(entries) => {
                let entry = |(key, part): &(String, Part)| format!("{key}: {}", part.shown());
                format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Scalar {
    fn new(value: &Value<'_>, kind: Option<Type>, place: &Place<'_>) -> Self {
        let text = value.peek().unwrap_or_default().trim();
        let shown = value.shown();
        let shown = shown.trim_matches('`');
        let lower = place.key.to_lowercase();
        let named = is_sensitive(place.key) || CREDENTIALS.iter().any(|word| lower.contains(word));
        let hidden = named || place.field && !names_a_variable(shown);
        // What came out of a variable or a file is shown as it is written, and so may be a secret.
        if hidden || shown != text {
            let meaning = Digest::of(&meaning(text, kind)).to_hex();
            return Self { meaning, shown: (!hidden).then(|| shown.to_owned()) };
        }
        Self { meaning: meaning(text, kind), shown: Some(shown.to_owned()) }
    }
}

/// Those that are written otherwise and mean the same are the same.
pub(super) fn meaning(text: &str, kind: Option<Type>) -> String {
    let meant = match kind {
        Some(Type::Duration | Type::DurationOr(_)) => {
            units::duration(text).ok().map(|it| format!("{}ms", it.as_millis()))
        }
        Some(Type::Size) => units::size(text).ok().map(|bytes| format!("{bytes}B")),
        Some(Type::Integer(..)) => text.replace('_', "").parse::<u64>().ok().map(|number| number.to_string()),
        Some(Type::Number(..)) => text.parse::<f64>().ok().map(|number| number.to_string()),
        Some(Type::Address) => text.parse::<SocketAddr>().ok().map(|address| address.to_string()),
        _ => None,
    };
    meant.unwrap_or_else(|| text.to_owned())
}

/// The keys that the schema has for a section.
pub(super) fn keys(kind: Option<Type>) -> &'static [Key] {
    match kind {
        Some(Type::Section(keys) | Type::SectionOr(_, keys)) => keys,
        _ => &[],
    }
}

/// What a key of a section takes.
pub(super) fn child(kind: Option<Type>, name: &str) -> Option<Type> {
    match kind {
        Some(Type::Named(keys)) => Some(Type::Section(keys)),
        _ => keys(kind).iter().find(|key| key.name == name).map(|key| key.kind),
    }
}
