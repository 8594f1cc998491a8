//! What the single values of a fixture may be. A rule that is broken is reported, and reading goes on.

use super::{Position, network};
use crate::config::{Code, Value};
use crate::store::password::acceptable;
use ipnet::IpNet;
use jiff::Timestamp;
use std::ops::RangeInclusive;

pub(super) fn position(value: &Value<'_>) -> Position {
    Position { line: value.line(), column: value.column() }
}

/// Whether a text can be the slug of an organization.
pub fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=50).contains(&text.len()) && text.bytes().all(allowed)
}

/// Whether a character shows as nothing, or turns around how others are shown: with it, two names look the same and are not.
/// What joins letters (U+200C, U+200D) is none: scripts and pictures need it.
pub fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a text can be an e-mail address; whether it is one, only a letter to it would show.
pub fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
    let joins = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    let bad = |c: char| c.is_whitespace() || c.is_control() || is_deceptive(c) || joins(c);
    parts.is_some() && text.len() <= 254 && !text.contains(bad)
}

fn refuse<T>(value: &Value<'_>, message: impl Into<String>, help: &str) -> Option<T> {
    value.report(Code::InvalidValue, message, Some(help));
    None
}

/// An opaque id.
pub(super) fn id(value: &Value<'_>) -> Option<String> {
    let text = value.non_empty()?;
    let count = text.chars().count();
    if count > 64 {
        return refuse(value, format!("this id has {count} characters"), "an id has at most 64");
    }
    if text.contains('/') || text.contains(char::is_control) {
        return refuse(value, "an id has no `/` and no control characters", "leave them out");
    }
    Some(text.to_owned())
}

pub(super) fn slug(value: &Value<'_>) -> Option<String> {
    const SHAPE: &str = "3 to 50 of `a` to `z`, `0` to `9` and `-`";
    let text = value.text()?;
    if !is_slug(text) {
        return refuse(value, format!("{} is not a slug", value.shown()), SHAPE);
    }
    Some(text.to_owned())
}

/// A text of so many characters.
pub(super) fn text(value: &Value<'_>, characters: RangeInclusive<usize>) -> Option<String> {
    let text = value.text()?;
    let count = text.chars().count();
    if !characters.contains(&count) {
        let help = format!("{} to {} characters", characters.start(), characters.end());
        return refuse(value, format!("this has {count} characters"), &help);
    }
    Some(text.to_owned())
}

pub(super) fn email(value: &Value<'_>) -> Option<String> {
    let text = value.non_empty()?;
    if !is_email(text) {
        return refuse(
            value,
            format!("{} is not an e-mail address", value.shown()),
            "such as `a@example.com`",
        );
    }
    Some(text.to_owned())
}

pub(super) fn password<'d>(value: &Value<'d>) -> Option<&'d str> {
    let text = value.text()?;
    if !acceptable(text) {
        return refuse(
            value,
            "this password is too weak, or too long",
            "8 to 256 characters, one of them a letter and one a digit",
        );
    }
    Some(text)
}

/// An instant, as milliseconds since 1970.
pub(super) fn instant(value: &Value<'_>) -> Option<u64> {
    const EXAMPLE: &str = "such as `2030-01-01T00:00:00Z`";
    let at: Timestamp = value.parse("an instant in UTC", Some(EXAMPLE))?;
    match u64::try_from(at.as_millisecond()) {
        Ok(at) => Some(at),
        Err(_) => refuse(value, "this is before 1970", EXAMPLE),
    }
}

/// An address or range.
pub(super) fn address(value: &Value<'_>) -> Option<IpNet> {
    let text = value.text()?;
    let found = network(text.trim());
    if found.is_none() {
        let message = format!("{} is neither an IP address nor a CIDR range", value.shown());
        return refuse(value, message, "such as `203.0.113.10` or `10.0.0.0/8`");
    }
    found
}
