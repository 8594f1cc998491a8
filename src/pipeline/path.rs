//! The one normal form of a request's path: what is matched is what is forwarded.
//!
//! Escapes of unreserved characters are undone, the others spelled in upper case (RFC 3986, 6.2.2); empty and `.`
//! segments vanish. What servers are known to read differently is refused: `..`, encoded slashes and backslashes,
//! control characters, and escapes that hide such a thing one layer deeper.

use super::scan;
use std::borrow::Cow;

/// The path is not forwarded: servers disagree about what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmbiguousPath;

/// Normalises a path; borrows when it is in normal form already.
///
/// # Errors
/// [`AmbiguousPath`]
pub fn normalise(path: &str) -> Result<Cow<'_, str>, AmbiguousPath> {
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    rewrite(path).map(Cow::Owned)
}

/// A quick and strict look: false for anything that needs thought.
fn is_normal(path: &[u8]) -> bool {
    let odd = |byte: u8| (byte <= 0x20) | (byte >= 0x7f) | (byte == b'%') | (byte == b'\\') | (byte == b';');
    let breaks = |one, next| (one == b'/') & ((next == b'/') | (next == b'.'));
    path.first() == Some(&b'/') && !scan::any(path, odd) && !scan::any_pair(path, breaks)
}

fn rewrite(path: &str) -> Result<String, AmbiguousPath> {
    if !path.starts_with('/') {
        return Err(AmbiguousPath);
    }
    let mut normal = String::with_capacity(path.len());
    let mut last_was_plain = false;
    for segment in path[1..].split('/') {
        let segment = unescape(segment)?;
        // However often the `;` is escaped that a server undoes once or twice.
        let name = [";", "%3B", "%253B", "%253b"]
            .iter()
            .fold(&*segment, |name, mark| name.split_once(mark).map_or(name, |(name, _)| name));
        // Servers that drop parameters see nothing before `;` as an empty segment, or as `.`.
        if name == ".." || (matches!(name, "" | ".") && name.len() != segment.len()) {
            return Err(AmbiguousPath);
        }
        last_was_plain = !segment.is_empty() && segment != ".";
        if last_was_plain {
            normal.push('/');
            normal.push_str(&segment);
        }
    }
    if !last_was_plain {
        normal.push('/');
    }
    if hides_escape(normal.as_bytes()) { Err(AmbiguousPath) } else { Ok(normal) }
}

/// Undoes what need not be escaped, and refuses what must not be in a segment in any spelling.
fn unescape(segment: &str) -> Result<String, AmbiguousPath> {
    let bytes = segment.as_bytes();
    let mut plain = String::with_capacity(segment.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'%' {
            let value = escape_at(bytes, at).ok_or(AmbiguousPath)?;
            match value {
                b'/' | b'\\' | 0..=0x1f | 0x7f => return Err(AmbiguousPath),
                b'-' | b'.' | b'_' | b'~' => plain.push(char::from(value)),
                _ if value.is_ascii_alphanumeric() => plain.push(char::from(value)),
                _ => push_escape(&mut plain, value),
            }
            at += 3;
            continue;
        }
        match byte {
            b'\\' | 0..=0x20 | 0x7f => return Err(AmbiguousPath),
            0x80.. => push_escape(&mut plain, byte),
            _ => plain.push(char::from(byte)),
        }
        at += 1;
    }
    Ok(plain)
}

/// Whether a server that decodes twice would see a dangerous character that one layer hides.
fn hides_escape(normal: &[u8]) -> bool {
    normal.windows(5).any(|window| {
        window.starts_with(b"%25")
            && matches!(hex_pair(&window[3..]), Some(b'.' | b'/' | b'\\' | b'%' | 0..=0x1f | 0x7f))
    })
}

/// The byte that the escape at `at` stands for.
pub(super) fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    hex_pair(bytes.get(at + 1..at + 3)?)
}

/// Undoes all escapes that are whole (RFC 3986, 2.1); a `%` that none follows stays.
pub(super) fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = if bytes[at] == b'%' { escape_at(bytes, at) } else { None };
        plain.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    plain
}

/// A segment as a lax server reads it: without parameters, without escapes, in lower case.
pub(super) fn loosely(segment: &str) -> Vec<u8> {
    let mut plain = unescaped(segment.as_bytes());
    if let Some(end) = plain.iter().position(|&byte| byte == b';') {
        plain.truncate(end);
    }
    plain.make_ascii_lowercase();
    plain
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let high = char::from(pair[0]).to_digit(16)?;
    let low = char::from(pair[1]).to_digit(16)?;
    Some((high << 4 | low) as u8)
}

/// Appends `%XX`.
pub(super) fn push_escape(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(HEX[usize::from(byte >> 4)]));
    text.push(char::from(HEX[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_one_path() {
        for (path, normal) in [
            ("/", "/"),
            ("/v1/a", "/v1/a"),
            ("/v1/a/", "/v1/a/"),
            ("//v1///a", "/v1/a"),
            ("/./v1/./a/.", "/v1/a/"),
            ("/%76%31/%61", "/v1/a"),
            ("/a%2a%c3%a4", "/a%2A%C3%A4"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/..a/b..", "/..a/b.."),
            ("/a%25b", "/a%25b"),
        ] {
            assert_eq!(normalise(path).as_deref(), Ok(normal), "{path}");
        }
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        for path in [
            "/a/../b",
            "/..",
            "/%2e%2e/a",
            "/.%2E/a",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/%252e%252e/a",
            "/a%252fb",
            "/a%25%32%65",
            "/..;/a",
            "/..%3b/a",
            "/..%253b/a",
            "/..%253B/a",
            "/.;x/a",
            "/a/;x/b",
            "/a/%3bx/b",
            "a",
            "",
            "*",
        ] {
            assert_eq!(normalise(path), Err(AmbiguousPath), "{path}");
        }
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form() {
        for path in ["/v1/a/", "/a%2A%C3%A4", "/a;v=1/b", "/a%25b", "/..a/b.."] {
            assert_eq!(normalise(path).as_deref(), Ok(path));
        }
    }
}
