//! Path prefixes and patterns, brought into the form that request paths have once they are normalised.
//!
//! That form: `%` escapes of unreserved characters (RFC 3986, 2.3) decoded, the other escapes in upper case, everything
//! that may not stand in a path escaped, no empty segment, no dot segment, no slash at the end.

use crate::config::Segment;
use crate::config::document::Value;
use crate::config::problem::Code;
use std::fmt::Write as _;
use std::sync::Arc;

/// Why a path is refused, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused(&'static str, &'static str);

/// A prefix, e.g. `/api/v1`; `/` for every path.
pub(super) fn prefix(value: &Value<'_>) -> Option<Arc<str>> {
    let text = value.non_empty()?;
    let made = literals(text).map(|segments| match segments.is_empty() {
        true => Arc::from("/"),
        false => Arc::from(segments.iter().fold(String::new(), |path, segment| path + "/" + segment)),
    });
    or_report(value, made)
}

/// A route's pattern.
pub(super) fn pattern(value: &Value<'_>) -> Option<Vec<Segment>> {
    or_report(value, segments(value.non_empty()?))
}

/// As [`pattern`], of a text that is part of the value.
pub(super) fn pattern_of(value: &Value<'_>, text: &str) -> Option<Vec<Segment>> {
    or_report(value, segments(text))
}

/// Whether every path of the pattern lies under the prefix.
pub(super) fn is_under(pattern: &[Segment], prefix: &str) -> bool {
    let mut pattern = pattern.iter();
    prefix
        .split('/')
        .filter(|segment| !segment.is_empty())
        .all(|wanted| matches!(pattern.next(), Some(Segment::Literal(text)) if **text == *wanted))
}

/// The same for two patterns that match the same paths: the names of parameters do not count.
pub(super) fn shape(pattern: &[Segment]) -> String {
    let mut shape = String::new();
    for segment in pattern {
        shape.push('/');
        // A literal holds no brace and no star that is not escaped, or is not the whole segment.
        shape.push_str(match segment {
            Segment::Literal(text) => text,
            Segment::Parameter(_) => "{}",
            Segment::Rest => "{**}",
        });
    }
    shape
}

fn or_report<T>(value: &Value<'_>, made: Result<T, Refused>) -> Option<T> {
    made.map_err(|Refused(what, help)| {
        value.report(Code::InvalidValue, format!("{} {what}", value.shown()), Some(help));
    })
    .ok()
}

fn literals(text: &str) -> Result<Vec<String>, Refused> {
    if text.contains(['{', '}', '*']) {
        return Err(Refused(
            "holds a wildcard, and a prefix is literal",
            "put wildcards into the paths of routes",
        ));
    }
    raw_segments(text)?.map(normal).collect()
}

fn segments(text: &str) -> Result<Vec<Segment>, Refused> {
    let raw: Vec<&str> = raw_segments(text)?.collect();
    let mut names: Vec<&str> = Vec::new();
    let mut made = Vec::new();
    for (index, segment) in raw.iter().enumerate() {
        made.push(match parameter(segment)? {
            _ if *segment == "**" && index + 1 < raw.len() => {
                return Err(Refused(
                    "has `**` before its end",
                    "`**` stands for the rest of a path: put it last",
                ));
            }
            _ if *segment == "**" => Segment::Rest,
            Some(name) if names.contains(&name) => {
                return Err(Refused("names two parameters alike", "give each `{name}` a name of its own"));
            }
            Some(name) => {
                names.push(name);
                Segment::Parameter(Arc::from(name))
            }
            None => Segment::Literal(Arc::from(normal(segment)?)),
        });
    }
    Ok(made)
}

/// The text between the slashes; one slash at the end does not count.
fn raw_segments(text: &str) -> Result<std::str::Split<'_, char>, Refused> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err(Refused("does not start with `/`", "write the whole path, such as `/v1/items`"));
    };
    if rest.contains(['?', '#', '\\']) || rest.chars().any(char::is_control) {
        return Err(Refused(
            "holds a character that no path has",
            "write the path only: no query, no fragment, no `\\`",
        ));
    }
    if rest.is_empty() {
        let mut none = "".split('/');
        none.next();
        return Ok(none);
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.split('/').any(str::is_empty) {
        return Err(Refused("has an empty segment", "remove the doubled `/`"));
    }
    Ok(rest.split('/'))
}

/// The name in `{name}`; `None` for a literal segment.
fn parameter(segment: &str) -> Result<Option<&str>, Refused> {
    if !segment.contains(['{', '}', '*']) || segment == "**" {
        return Ok(None);
    }
    let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let word = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match name.filter(word) {
        Some(name) => Ok(Some(name)),
        None => Err(Refused(
            "has a wildcard that is not a whole segment",
            "`{name}` stands for one whole segment, `**` at the end for any number of them",
        )),
    }
}

/// A literal segment in the normal form.
fn normal(segment: &str) -> Result<String, Refused> {
    let mut out = String::new();
    let bytes = segment.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = if byte == b'%' { Some(escape(bytes, at)?) } else { None };
        at += if escaped.is_some() { 3 } else { 1 };
        match (escaped, byte) {
            (Some(b'/' | b'\\' | 0), _) => {
                return Err(Refused(
                    "holds an encoded `/`, `\\` or zero byte",
                    "such requests are refused: remove it",
                ));
            }
            (Some(byte), _) if is_unreserved(byte) => out.push(char::from(byte)),
            (None, byte) if is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte) => {
                out.push(char::from(byte))
            }
            (Some(byte), _) | (None, byte) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    if out == "." || out == ".." {
        return Err(Refused("holds a `.` or `..` segment", "write the path that is meant"));
    }
    Ok(out)
}

fn escape(bytes: &[u8], at: usize) -> Result<u8, Refused> {
    let digit = |offset: usize| bytes.get(at + offset).and_then(|b| char::from(*b).to_digit(16));
    let value = digit(1).zip(digit(2)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
    value.ok_or(Refused(
        "holds a `%` that two hexadecimal digits do not follow",
        "write `%25` for the character itself",
    ))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(Arc::from(text))
    }

    #[test]
    fn patterns_are_brought_into_the_normal_form() {
        assert_eq!(
            segments("/v1/{id}/**"),
            Ok(vec![literal("v1"), Segment::Parameter("id".into()), Segment::Rest])
        );
        assert_eq!(segments("/"), Ok(vec![]));
        assert_eq!(segments("/**"), Ok(vec![Segment::Rest]));
        assert_eq!(segments("/a/"), segments("/a"));
        assert_eq!(segments("/%41%7e%3a"), Ok(vec![literal("A~%3A")]));
        assert_eq!(segments("/ก b:@"), Ok(vec![literal("%E0%B8%81%20b:@")]));
    }

    #[test]
    fn what_no_request_can_have_is_refused() {
        for bad in [
            "v1", "//", "/a//b", "/a/**/b", "/a*", "/a/*", "/{}", "/{1a}", "/x{a}", "/{a}/{a}", "/.",
            "/a/../b", "/%2e%2E", "/a%2Fb", "/a%2fb", "/a%5cb", "/a%0", "/a?b", "/a#b", "/a\\b", "/a\u{7}",
        ] {
            assert!(segments(bad).is_err(), "{bad}");
        }
        assert!(literals("/v1/{a}").is_err());
    }

    #[test]
    fn under_means_by_whole_segments() {
        let pattern = segments("/v1/{id}").unwrap();
        assert!(is_under(&pattern, "/v1") && is_under(&pattern, "/"));
        assert!(!is_under(&pattern, "/v") && !is_under(&pattern, "/v1/x"));
        assert_eq!(shape(&pattern), shape(&segments("/v1/{other}").unwrap()));
        assert_ne!(shape(&pattern), shape(&segments("/v1/other").unwrap()));
        assert_ne!(shape(&pattern), shape(&segments("/v1/**").unwrap()));
    }
}
