//! Keeps credentials out of logs. Whatever a client can choose passes here before it is written anywhere.
//!
//! Clients put keys where they do not belong: into paths, host names, user agents. So text is searched, not
//! trusted: in any position, in any case, under any number of layers of percent-encoding.

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, PROXY_AUTHORIZATION, SET_COOKIE};
use std::borrow::Cow;
use std::fmt;

/// What stands for what was taken out.
const REDACTED: &str = "[redacted]";

/// What secrets begin with, in lower case, and how much has to follow. Whatever follows a key's prefix is a key, for people
/// mistype them; the others are ordinary words, which paths begin with as well.
const FAMILIES: [(&str, usize); 7] = [
    ("ocr_", 1),
    ("ocore_", 1),
    ("refresh_", LONG),
    ("partial_", LONG),
    ("invite_", LONG),
    ("reset_", LONG),
    (WEBHOOK_SECRET, LONG),
];
/// No word has so many characters, and no secret so few.
const LONG: usize = 20;
/// Base64 follows it, which has slashes of its own.
const WEBHOOK_SECRET: &str = "whsec_";

/// `text` with keys replaced by `ocr_[redacted]` or `ocore_[redacted]`, the gateway's other secrets likewise, and JWTs by
/// `[redacted]`.
///
/// Allocates only when there is something to replace.
pub fn redact(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    // Every secret has one of these in what it begins with, unless that is percent-encoded.
    if memchr::memchr3(b'_', b'%', b'j', bytes).is_none() && memchr::memchr(b'J', bytes).is_none() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        match secret_at(bytes, at) {
            None => at += 1,
            Some((family, end)) => {
                out.push_str(&text[copied..at]);
                out.push_str(family);
                out.push_str(REDACTED);
                (copied, at) = (end, end);
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The family and the end of the secret that starts at `at`, if one does.
fn secret_at(bytes: &[u8], at: usize) -> Option<(&'static str, usize)> {
    // Most bytes end here.
    let first = bytes[at].to_ascii_lowercase();
    if !matches!(first, b'o' | b'e' | b'r' | b'p' | b'i' | b'w' | b'%') {
        return None;
    }
    let may = |prefix: &str| first == b'%' || prefix.as_bytes().first() == Some(&first);
    let family = |(prefix, least): &(&'static str, usize)| {
        let start = may(prefix).then(|| prefix_end(bytes, at, prefix))??;
        Some((*prefix, key_end(bytes, start, *least, *prefix == WEBHOOK_SECRET)?))
    };
    FAMILIES.iter().find_map(family).or_else(|| Some(("", jwt_end(bytes, at)?)))
}

fn prefix_end(bytes: &[u8], at: usize, prefix: &str) -> Option<usize> {
    prefix.bytes().try_fold(at, |at, wanted| {
        let (byte, next) = decoded(bytes, at)?;
        byte.eq_ignore_ascii_case(&wanted).then_some(next)
    })
}

/// The end of a key whose prefix ends at `start`; `None` when fewer than `least` characters follow the prefix.
fn key_end(bytes: &[u8], start: usize, least: usize, slashes: bool) -> Option<usize> {
    let (mut end, mut length) = (start, 0);
    while let Some((byte, next)) = decoded(bytes, end) {
        let ends = byte.is_ascii_whitespace() || b"/?&#,;\"'<>()[]{}\\".contains(&byte);
        if ends && !(slashes && byte == b'/') {
            break;
        }
        (end, length) = (next, length + 1);
    }
    (length >= least).then_some(end)
}

/// A header alone that is shorter than this is taken for a word, unless it is spelt as JWTs are.
const JWT_HEADER_MIN: usize = 16;

/// The end of the JWT that starts at `at`: `eyJ`, which is `{"` in base64url, and a dot further on.
fn jwt_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = prefix_end(bytes, at, "eyj")?;
    let as_spelt = bytes[at..].starts_with(b"eyJ");
    let (mut length, mut header) = (3, None);
    while let Some((byte, next)) = decoded(bytes, end) {
        match byte {
            b'.' => header = header.or(Some(length)),
            b'-' | b'_' | b'=' => {}
            _ if byte.is_ascii_alphanumeric() => {}
            _ => break,
        }
        length += 1;
        end = next;
    }
    header.filter(|header| as_spelt || *header >= JWT_HEADER_MIN).map(|_| end)
}

/// The byte at `at`, freed of percent-encoding however often it was applied, and where the next one starts.
fn decoded(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let first = *bytes.get(at)?;
    if first != b'%' {
        return Some((first, at + 1));
    }
    let mut digits = at + 1;
    let Some(mut byte) = hex_pair(bytes, digits) else {
        return Some((first, at + 1));
    };
    while byte == b'%'
        && let Some(inner) = hex_pair(bytes, digits + 2)
    {
        (byte, digits) = (inner, digits + 2);
    }
    Some((byte, digits + 2))
}

fn hex_pair(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at)? * 16 + digit(at + 1)?).ok()
}

/// Headers for a debugging log: values that authenticate are hidden, the others are [`redact`]ed.
pub struct Redacted<'a>(pub &'a HeaderMap);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, value)| {
            let hidden = value.is_sensitive() || authenticates(name);
            let text = String::from_utf8_lossy(value.as_bytes());
            (name.as_str(), if hidden { REDACTED.to_owned() } else { redact(&text).into_owned() })
        });
        f.debug_map().entries(shown).finish()
    }
}

fn authenticates(name: &HeaderName) -> bool {
    [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE].contains(name) || name.as_str() == "x-api-key"
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const KEY: &str = "ocr_0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
    const JWT: &str =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn keys_and_tokens_go_wherever_they_stand() {
        for (text, expected) in [
            (KEY.to_owned(), "ocr_[redacted]"),
            (format!("/v1/x/{KEY}/y"), "/v1/x/ocr_[redacted]/y"),
            (format!("curl/8 ({KEY}); a"), "curl/8 (ocr_[redacted]); a"),
            (format!("a{KEY},{KEY} b"), "aocr_[redacted],ocr_[redacted] b"),
            ("/ocore_k_abc-DEF.x/y".to_owned(), "/ocore_[redacted]/y"),
            (KEY.to_uppercase(), "ocr_[redacted]"),
            ("/%6fcr_0123".to_owned(), "/ocr_[redacted]"),
            ("/%4F%43r%5f0123/%ff".to_owned(), "/ocr_[redacted]/%ff"),
            ("/%256f%2563r_0123".to_owned(), "/ocr_[redacted]"),
            ("/%25256Fcr%25255f0123%2fx".to_owned(), "/ocr_[redacted]%2fx"),
            (format!("Bearer {JWT}"), "Bearer [redacted]"),
            (format!("/x/{}", JWT.replace('.', "%2E")), "/x/[redacted]"),
            (format!("/x/%65%79J{}", &JWT[3..]), "/x/[redacted]"),
            (JWT.to_lowercase(), "[redacted]"),
            ("é/ocr_éé/é".to_owned(), "é/ocr_[redacted]/é"),
            (format!("a refresh_{0}, invite_{0}", &KEY[4..]), "a refresh_[redacted], invite_[redacted]"),
            (format!("/Reset_{0}/%70artial_{0}", &KEY[4..]), "/reset_[redacted]/partial_[redacted]"),
            ("x whsec_MfKQ9r8GKYq/TwjUPD8ILP+IbVzk5q0= y".to_owned(), "x whsec_[redacted] y"),
        ] {
            assert_eq!(redact(&text), expected, "{text}");
        }
    }

    #[test]
    fn clean_text_is_only_borrowed() {
        let clean = [
            "",
            "/v1/openapi/templates",
            "ocr",
            "ocr_",
            "/reset_password/invite_link?refresh_token=1&partial_content&whsec_",
            "/ocr_/x",
            "eyJ",
            "eyjafjallajokull",
            "eyjafjalla.jpg",
            "100%",
            "%6",
            "%6f",
            "%zz%",
        ];
        for text in clean {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn headers_that_authenticate_are_hidden() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"] {
            headers.insert(name, HeaderValue::from_static("hunter2"));
        }
        headers.insert("x-own", HeaderValue::from_str(KEY).unwrap());
        headers.insert("accept", HeaderValue::from_static("text/html"));
        let mut sensitive = HeaderValue::from_static("hunter2");
        sensitive.set_sensitive(true);
        headers.insert("x-other", sensitive);
        let shown = format!("{:?}", Redacted(&headers));
        assert!(!shown.contains("hunter2") && !shown.contains(&KEY[4..]), "{shown}");
        assert!(
            shown.contains("\"accept\": \"text/html\"") && shown.contains("\"x-own\": \"ocr_[redacted]\"")
        );
    }

    proptest! {
        #[test]
        fn no_key_comes_through(
            before in "[ -~é]{0,20}",
            after in "([ /?&].{0,20})?",
            key in "(ocr_|ocore_k_|OCR_)[0-9a-f]{12,64}",
            encode in proptest::collection::vec(0..4_u8, 80),
        ) {
            let layer = |c: char, how: u8| match how {
                0 => format!("%{:02x}", c as u32),
                1 => format!("%25{:02X}", c as u32),
                _ => c.to_string(),
            };
            let spelt: String = key.chars().zip(encode).map(|(c, how)| layer(c, how)).collect();
            let text = format!("{before}{spelt}{after}");
            let clean = redact(&text);
            prop_assert!(!clean.contains(&spelt), "{} from {}", clean, text);
            prop_assert!(clean.contains(REDACTED));
            let (tail, _) = key.split_at(key.len() - 4);
            prop_assert!(!clean.contains(tail));
        }
    }
}
