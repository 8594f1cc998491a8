//! Reads the members of a JSON body: what is of the wrong kind is gathered, so that all of it is told at once.

use crate::config::Dialect;
use crate::control::domain::{DomainError, Violation};
use crate::control::error::Refusal;
use crate::control::openapi::{Kind, Presence, Reading};
use crate::dialect::endpoint::Call;
use crate::dialect::media::is_json;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};
use std::fmt;

const NOT_JSON: &str = "The body is not well-formed JSON in UTF-8.";
const NO_OBJECT: &str = "The body must be a JSON object.";

const NUL: &str = "The body has the character U+0000 in a text: leave it out.";
const TWICE: &str = "Give each member of the body once.";

/// The members of a body, taken one by one. Those that nobody takes are ignored; those that are taken are described.
#[derive(Debug)]
pub(super) struct Members {
    members: Map<String, Value>,
    wrong: Vec<Violation>,
    reading: Reading,
}

impl Members {
    /// Reads a body that has to be there.
    ///
    /// # Errors
    /// [`Refusal::MediaType`], [`Refusal::Malformed`]
    pub(super) fn read(call: &Call) -> Result<Self, Refusal> {
        let plain =
            only(&call.headers, &CONTENT_ENCODING)?.is_none_or(|it| it.eq_ignore_ascii_case("identity"));
        let json = match only(&call.headers, &CONTENT_TYPE)? {
            Some(kind) => is_json(kind),
            // oCore's have to say so; elsewhere a body of no type at all is taken for JSON.
            None => call.endpoint.dialect != Dialect::Ocore,
        };
        if !plain || !json {
            return Err(Refusal::MediaType);
        }
        let Pairs(pairs) = serde_json::from_slice(&call.body).map_err(|error| match error.classify() {
            Category::Data => Refusal::Malformed(NO_OBJECT),
            Category::Io | Category::Syntax | Category::Eof => Refusal::Malformed(NOT_JSON),
        })?;
        let mut members = Map::new();
        for (name, value) in pairs {
            // Not every store keeps it, and no name or text needs it.
            if name.contains('\0') || has_nul(&value) {
                return Err(Refusal::Malformed(NUL));
            }
            if members.insert(name, value).is_some() {
                return Err(Refusal::Malformed(TWICE));
            }
        }
        Ok(Self::of(call, members))
    }

    /// Reads a body that may be left out.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub(super) fn read_if_any(call: &Call) -> Result<Self, Refusal> {
        if call.body.is_empty() {
            return Ok(Self::of(call, Map::new()));
        }
        Self::read(call)
    }

    fn of(call: &Call, members: Map<String, Value>) -> Self {
        Self { members, wrong: Vec::new(), reading: Reading::new(call.endpoint) }
    }

    fn wrong<T>(&mut self, name: &'static str, constraint: &'static str, message: String) -> Option<T> {
        self.wrong.push(Violation::new(name, constraint, message));
        None
    }

    /// A string that has to be there.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.reading.member(name, Kind::Text, Presence::Required);
        match self.members.remove(name) {
            Some(Value::String(text)) => Some(text),
            None | Some(Value::Null) => self.wrong(name, "required", format!("{name} is required")),
            Some(_) => self.wrong(name, "type", format!("{name} must be a string")),
        }
    }

    /// A string that may be left out or null.
    pub(super) fn optional_text(&mut self, name: &'static str) -> Option<String> {
        self.nullable_text(name).flatten()
    }

    /// A string that may be left out; null says something of its own.
    pub(super) fn nullable_text(&mut self, name: &'static str) -> Option<Option<String>> {
        self.reading.member(name, Kind::Text, Presence::Nullable);
        match self.members.remove(name) {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text)),
            Some(_) => self.wrong(name, "type", format!("{name} must be a string or null")),
        }
    }

    /// A string that may be left out, and must not be null.
    pub(super) fn given_text(&mut self, name: &'static str) -> Option<String> {
        self.reading.member(name, Kind::Text, Presence::Optional);
        match self.members.remove(name) {
            None => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => self.wrong(name, "type", format!("{name} must be a string")),
        }
    }

    /// A list of strings that has to be there.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.reading.member(name, Kind::Texts, Presence::Required);
        match self.members.get(name) {
            None | Some(Value::Null) => self.wrong(name, "required", format!("{name} is required")),
            Some(_) => self.list(name),
        }
    }

    /// A list of strings that may be left out or null.
    pub(super) fn optional_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.reading.member(name, Kind::Texts, Presence::Nullable);
        if self.members.get(name).is_some_and(Value::is_null) {
            return None;
        }
        self.list(name)
    }

    /// A list of strings that may be left out, and must not be null.
    pub(super) fn given_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.reading.member(name, Kind::Texts, Presence::Optional);
        self.list(name)
    }

    fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        let value = self.members.remove(name)?;
        let list: Option<Vec<String>> = serde_json::from_value(value).ok();
        list.or_else(|| self.wrong(name, "type", format!("{name} must be an array of strings")))
    }

    /// A whole number from 0, and may be left out.
    pub(super) fn given_number(&mut self, name: &'static str) -> Option<u64> {
        self.reading.member(name, Kind::Number, Presence::Optional);
        let value = self.members.remove(name)?;
        value.as_u64().or_else(|| self.wrong(name, "type", format!("{name} must be a whole number from 0")))
    }

    /// True or false, and may be left out.
    pub(super) fn given_flag(&mut self, name: &'static str) -> Option<bool> {
        self.reading.member(name, Kind::Flag, Presence::Optional);
        match self.members.remove(name) {
            None => None,
            Some(Value::Bool(flag)) => Some(flag),
            Some(_) => self.wrong(name, "type", format!("{name} must be true or false")),
        }
    }

    /// A whole number that may be left out or null.
    pub(super) fn optional_number(&mut self, name: &'static str) -> Option<u64> {
        self.reading.member(name, Kind::Number, Presence::Nullable);
        match self.members.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_u64() {
                Some(number) => Some(number),
                None => self.wrong(name, "type", format!("{name} must be a whole number")),
            },
        }
    }

    /// All members whose names begin with this, of whatever kind.
    pub(super) fn beginning(&mut self, start: &'static str) -> Map<String, Value> {
        self.reading.member(start, Kind::Family, Presence::Optional);
        let (family, others) =
            std::mem::take(&mut self.members).into_iter().partition(|(name, _)| name.starts_with(start));
        self.members = others;
        family
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DomainError::Invalid`] with everything that was of the wrong kind.
    pub(super) fn done(self) -> Result<(), DomainError> {
        self.reading.members_done();
        if self.wrong.is_empty() { Ok(()) } else { Err(DomainError::Invalid(self.wrong)) }
    }
}

/// The members of an object as they came. A map would keep the last of two with one name, and somebody before the gateway may
/// have looked at the first.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Pairs {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        while let Some(member) = members.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

/// The one value of a field; two are one too many where the value decides how a body is read.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Malformed("Send Content-Type and Content-Encoding once each."));
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| Refusal::MediaType)
}

/// Whether a text in it has U+0000.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
