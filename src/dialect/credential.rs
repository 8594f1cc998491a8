//! Where a dialect's clients put their credential, read strictly: two that differ are none.

use crate::config::{Api, Dialect};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// `X-API-Key`.
pub(super) static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credentials of one request, not yet looked up.
#[derive(Clone, Copy, Default)]
pub struct Presented<'a> {
    /// A key's whole text.
    pub key: Option<&'a str>,
    /// A JWT in compact form (RFC 7519).
    pub jwt: Option<&'a str>,
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presented {{ key: {}, jwt: {} }}", self.key.is_some(), self.jwt.is_some())
    }
}

/// Why a credential that is there can not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Two that differ, so that it would be a guess which one counts.
    Contradictory,
    /// Something that is neither a key nor a JWT of this dialect.
    Foreign,
}

/// Reads the credentials of a request to `api`.
///
/// # Errors
/// [`Unusable`] when there is one that must not be looked up. None at all is no error: both members are `None`.
pub fn present<'a>(api: &Api, headers: &'a HeaderMap) -> Result<Presented<'a>, Unusable> {
    read(api.dialect, &api.key_prefixes, headers)
}

/// Reads the credentials of a request to the gateway itself.
///
/// # Errors
/// Those of [`present`].
pub fn present_in(dialect: Dialect, headers: &HeaderMap) -> Result<Presented<'_>, Unusable> {
    read(dialect, &[], headers)
}

fn read<'a>(
    dialect: Dialect,
    key_prefixes: &[Arc<str>],
    headers: &'a HeaderMap,
) -> Result<Presented<'a>, Unusable> {
    let is_key = |text: &str| match dialect {
        Dialect::Ocriva => text.starts_with("ocr_"),
        Dialect::Ocore => text.starts_with("ocore_"),
        Dialect::Problem => key_prefixes.iter().any(|prefix| text.starts_with(&**prefix)),
    };
    let mut presented = Presented::default();
    let (keys, authorizations) = fields(headers);
    if dialect != Dialect::Ocore
        && let Some(text) = keys.text()?
    {
        if !is_key(text) {
            return Err(Unusable::Foreign);
        }
        presented.key = Some(text);
    }
    let bearer = match authorizations.text()? {
        Some(value) => bearer(value),
        None if dialect == Dialect::Ocore => cookie(headers, "access_token")?,
        None => None,
    };
    let Some(text) = bearer else { return Ok(presented) };
    if is_key(text) {
        if presented.key.is_some_and(|key| key != text) {
            return Err(Unusable::Contradictory);
        }
        presented.key = Some(text);
    } else if is_jwt(text) {
        presented.jwt = Some(text);
    } else {
        return Err(Unusable::Foreign);
    }
    Ok(presented)
}

/// The key that a request most likely shows, whatever its dialect. Says nothing of whether it may be used.
pub fn likely_key(headers: &HeaderMap) -> Option<&str> {
    let (keys, authorizations) = fields(headers);
    let shown = keys.text().ok().flatten();
    shown.or_else(|| authorizations.text().ok().flatten().and_then(bearer).filter(|text| !is_jwt(text)))
}

/// `X-API-Key` and `Authorization`, by one look at every field: that is quicker than to hash both names.
fn fields(headers: &HeaderMap) -> (Single<'_>, Single<'_>) {
    let (mut keys, mut authorizations) = (Single::default(), Single::default());
    for (name, value) in headers {
        if *name == AUTHORIZATION {
            authorizations.add(value);
        } else if *name == X_API_KEY {
            keys.add(value);
        }
    }
    (keys, authorizations)
}

/// The one value of a field.
#[derive(Default)]
struct Single<'a>(Option<Result<&'a str, Unusable>>);

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        self.0 = Some(match (self.0, text(value)) {
            (None, text) => text,
            (Some(Ok(first)), Ok(text)) if text != first => Err(Unusable::Contradictory),
            (Some(Ok(_)), Err(error)) => Err(error),
            (Some(first), _) => first,
        });
    }

    /// Trimmed; `None` when absent or empty.
    fn text(self) -> Result<Option<&'a str>, Unusable> {
        Ok(self.0.transpose()?.filter(|text| !text.is_empty()))
    }
}

fn text(value: &HeaderValue) -> Result<&str, Unusable> {
    // A field value has no control characters but tabs: if it is ASCII, it is visible ASCII.
    let ascii = Some(value.as_bytes()).filter(|bytes| bytes.is_ascii());
    ascii.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::trim_ascii).ok_or(Unusable::Foreign)
}

/// The credential of a `Bearer` field value; the scheme's case does not matter (RFC 9110, 11.1). Other schemes are
/// not ours: the same as none.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    let rest = rest.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty()).then_some(rest)
}

/// The one value of a cookie; `None` when it is absent or empty.
///
/// # Errors
/// [`Unusable::Contradictory`]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Unusable> {
    let mut found = None;
    for value in headers.get_all(COOKIE) {
        let Ok(text) = value.to_str() else { continue };
        for pair in text.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            if key != name || value.is_empty() {
                continue;
            }
            if found.is_some_and(|first| first != value) {
                return Err(Unusable::Contradictory);
            }
            found = Some(value);
        }
    }
    Ok(found)
}

/// Three base64url parts between dots (RFC 7515, 7.1).
fn is_jwt(text: &str) -> bool {
    let mut parts = 0;
    for part in text.split('.') {
        parts += 1;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return false;
        }
    }
    parts == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_read_as_rfc_9110_says() {
        assert_eq!(bearer("Bearer ocr_1"), Some("ocr_1"));
        assert_eq!(bearer("bEARER \t ocr_1"), Some("ocr_1"));
        assert_eq!(bearer("Bearer"), None);
        assert_eq!(bearer("Basic b2NyXzE="), None);
    }

    #[test]
    fn a_jwt_has_three_parts() {
        assert!(is_jwt("eyJh.eyJz.c2ln"));
        for no in ["eyJh.eyJz", "eyJh.eyJz.c2ln.x", "eyJh..c2ln", "eyJh.eyJz.c2l=", "ocr_1"] {
            assert!(!is_jwt(no), "{no}");
        }
    }
}
