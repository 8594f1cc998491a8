//! The head of a client's request, whatever protocol it came by.

use super::{Fields, Scratch};
use http::uri::Authority;
use http::{Method, Uri, Version, request};

/// A request's head.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Request target.
    pub target: Target,
    /// The protocol that it came by.
    pub version: Version,
    /// Header fields.
    pub fields: Fields,
}

impl Request {
    /// The same of a head that a library has read.
    pub fn of(head: request::Parts, scratch: &Scratch) -> Self {
        Self {
            fields: Fields::of(&head.headers, scratch),
            method: head.method,
            target: Target::of(head.uri, scratch),
            version: head.version,
        }
    }

    /// Gives its memory back where it was not forwarded.
    pub fn release(self, scratch: &Scratch) {
        self.target.release(scratch);
        self.fields.release(scratch);
    }
}

/// A request target (RFC 9112, 3.2): path and query, and the rest of the URI where it has one.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Path and query.
    text: String,
    /// Where the path ends.
    path: usize,
    /// The whole of it where it is not in origin form, or came by HTTP/2.
    whole: Option<Box<Uri>>,
}

impl Target {
    /// Reads a target; `None` for what no URI has.
    pub fn read(text: &str, scratch: &Scratch) -> Option<Self> {
        if !text.starts_with('/') {
            return Some(Self::of(text.parse().ok()?, scratch));
        }
        let path = memchr::memchr(b'?', text.as_bytes()).unwrap_or(text.len());
        let (before, behind) = text.as_bytes().split_at(path);
        if has(before, NO_PATH) || has(behind, NO_QUERY) {
            return None;
        }
        let mut own = scratch.text();
        own.push_str(text);
        Some(Self { text: own, path, whole: None })
    }

    /// The target of a URI.
    pub fn of(uri: Uri, scratch: &Scratch) -> Self {
        let mut text = scratch.text();
        text.push_str(uri.path());
        let path = text.len();
        if let Some(query) = uri.query() {
            text.push('?');
            text.push_str(query);
        }
        let whole = (uri.authority().is_some() || uri.scheme().is_some()).then(|| Box::new(uri));
        Self { text, path, whole }
    }

    /// The path; empty where the target is an authority alone.
    pub fn path(&self) -> &str {
        &self.text[..self.path]
    }

    /// What stands behind the first question mark.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path + 1..)
    }

    /// The authority, where the target has one.
    pub fn authority(&self) -> Option<&str> {
        self.whole.as_ref()?.authority().map(Authority::as_str)
    }

    /// The scheme, where the target has one.
    pub fn scheme(&self) -> Option<&str> {
        self.whole.as_ref()?.scheme_str()
    }

    /// Path and query as they came: the origin form (RFC 9112, 3.2.1).
    pub fn into_origin(self) -> String {
        self.text
    }

    fn release(self, scratch: &Scratch) {
        scratch.give_text(self.text);
    }
}

/// Bits of [`KINDS`]: no path has the byte; no query has it.
const NO_PATH: u8 = 1;
const NO_QUERY: u8 = 2;

/// Where a byte may not stand. What is not ASCII may anywhere, and what RFC 3986 would have escaped but clients send as it is.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte] = match byte as u8 {
            0..=b' ' | b'#' | b'<' | b'>' | 0x7f => NO_PATH | NO_QUERY,
            b'`' => NO_PATH,
            b'"' => NO_QUERY,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

/// Whether a part has a byte of a kind.
fn has(part: &[u8], kind: u8) -> bool {
    part.iter().fold(0, |all, &byte| all | KINDS[usize::from(byte)]) & kind != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Target> {
        Target::read(text, &Scratch::default())
    }

    #[test]
    fn what_is_a_target_is_what_a_uri_takes_for_one() {
        for byte in 0..=127u8 {
            let char = char::from(byte);
            for text in
                [format!("/a{char}b"), format!("/?a{char}b"), format!("/{char}"), format!("/a?b?{char}")]
            {
                // A URI would drop what follows.
                let known = text.parse::<Uri>().ok().filter(|_| byte != b'#');
                let target = read(&text);
                assert_eq!(target.is_some(), known.is_some(), "{text:?}");
                let (Some(target), Some(uri)) = (target, known) else { continue };
                assert_eq!((target.path(), target.query()), (uri.path(), uri.query()), "{text:?}");
                assert_eq!(target.into_origin(), text);
            }
        }
    }

    #[test]
    fn each_form_has_its_parts() {
        for (text, path, query, authority) in [
            ("/", "/", None, None),
            ("/a/b?", "/a/b", Some(""), None),
            ("/\u{e4}?\u{e4}", "/\u{e4}", Some("\u{e4}"), None),
            ("*", "*", None, None),
            ("http://h:1/a?b=c", "/a", Some("b=c"), Some("h:1")),
            ("http://h", "/", None, Some("h")),
            ("http://h?a", "/", Some("a"), Some("h")),
            ("h:443", "", None, Some("h:443")),
        ] {
            let target = read(text).unwrap();
            assert_eq!(
                (target.path(), target.query(), target.authority()),
                (path, query, authority),
                "{text}"
            );
        }
        assert_eq!(read("https://h/").unwrap().scheme(), Some("https"));
        assert!(read("").is_none());
    }
}
