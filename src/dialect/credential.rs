//! Where a dialect's clients put their credential, read strictly: two that differ are none.

use crate::config::{Api, Dialect};
use crate::wire::{self, Fields};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName};
use std::sync::Arc;

/// `X-API-Key`.
pub(super) static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credentials of one request, not yet looked up.
#[derive(Clone, Copy, Default)]
pub struct Presented<'a> {
    /// A key's whole text.
    pub key: Option<&'a [u8]>,
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

/// A field's name and value.
type Field<'a> = (&'a HeaderName, &'a [u8]);

fn of_map(headers: &HeaderMap) -> impl Iterator<Item = Field<'_>> {
    headers.iter().map(|(name, value)| (name, value.as_bytes()))
}

/// Reads the credentials of a request to `api`.
///
/// # Errors
/// [`Unusable`] when there is one that must not be looked up. None at all is no error: both members are `None`.
pub fn present<'a>(api: &Api, fields: &'a Fields) -> Result<Presented<'a>, Unusable> {
    read(api.dialect, &api.key_prefixes, || fields.iter())
}

/// Reads the credentials of a request to the gateway itself.
///
/// # Errors
/// Those of [`present`].
pub fn present_in(dialect: Dialect, headers: &HeaderMap) -> Result<Presented<'_>, Unusable> {
    read(dialect, &[], || of_map(headers))
}

/// The same, of header fields that nobody sends without meaning to: cookies are not looked at.
///
/// # Errors
/// Those of [`present`].
pub fn present_without_cookies(dialect: Dialect, headers: &HeaderMap) -> Result<Presented<'_>, Unusable> {
    read(dialect, &[], || of_map(headers).filter(|(name, _)| **name != COOKIE))
}

fn read<'a, I: Iterator<Item = Field<'a>>>(
    dialect: Dialect,
    key_prefixes: &[Arc<str>],
    all: impl Fn() -> I,
) -> Result<Presented<'a>, Unusable> {
    let is_key = |text: &[u8]| match dialect {
        Dialect::Ocriva => text.starts_with(b"ocr_"),
        Dialect::Ocore => text.starts_with(b"ocore_"),
        Dialect::Problem => key_prefixes.iter().any(|prefix| text.starts_with(prefix.as_bytes())),
    };
    let mut presented = Presented::default();
    let (keys, authorizations) = fields(all());
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
        None if dialect == Dialect::Ocore => cookie_of(all(), "access_token")?.map(str::as_bytes),
        None => None,
    };
    let Some(text) = bearer else { return Ok(presented) };
    if is_key(text) {
        if presented.key.is_some_and(|key| key != text) {
            return Err(Unusable::Contradictory);
        }
        presented.key = Some(text);
    } else if let Some(jwt) = jwt(text) {
        presented.jwt = Some(jwt);
    } else {
        return Err(Unusable::Foreign);
    }
    Ok(presented)
}

/// The key that a request most likely shows, whatever its dialect. Says nothing of whether it may be used.
pub fn likely_key(all: &Fields) -> Option<&[u8]> {
    let (keys, authorizations) = fields(all.iter());
    let shown = keys.text().ok().flatten();
    shown.or_else(|| authorizations.text().ok().flatten().and_then(bearer).filter(|text| jwt(text).is_none()))
}

/// `X-API-Key` and `Authorization`, by one look at every field: that is quicker than to hash both names.
fn fields<'a>(all: impl Iterator<Item = Field<'a>>) -> (Single<'a>, Single<'a>) {
    let (mut keys, mut authorizations) = (Single::default(), Single::default());
    for (name, value) in all {
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
struct Single<'a>(Option<Result<&'a [u8], Unusable>>);

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a [u8]) {
        self.0 = Some(match (self.0, text(value)) {
            (None, text) => text,
            (Some(Ok(first)), Ok(text)) if text != first => Err(Unusable::Contradictory),
            (Some(Ok(_)), Err(error)) => Err(error),
            (Some(first), _) => first,
        });
    }

    /// Trimmed; `None` when absent or empty.
    fn text(self) -> Result<Option<&'a [u8]>, Unusable> {
        Ok(self.0.transpose()?.filter(|text| !text.is_empty()))
    }
}

fn text(value: &[u8]) -> Result<&[u8], Unusable> {
    // A field value has no control characters but tabs: if it is ASCII, it is visible ASCII.
    if value.is_ascii() { Ok(value.trim_ascii()) } else { Err(Unusable::Foreign) }
}

/// The credential of a `Bearer` field value; the scheme's case does not matter (RFC 9110, 11.1). Other schemes are
/// not ours: the same as none.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let end = value.iter().position(|&byte| matches!(byte, b' ' | b'\t'))?;
    let (scheme, rest) = (&value[..end], value[end..].trim_ascii());
    (scheme.eq_ignore_ascii_case(b"bearer") && !rest.is_empty()).then_some(rest)
}

/// The one value of a cookie; `None` when it is absent or empty.
///
/// # Errors
/// [`Unusable::Contradictory`]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Unusable> {
    cookie_of(of_map(headers), name)
}

fn cookie_of<'a>(all: impl Iterator<Item = Field<'a>>, name: &str) -> Result<Option<&'a str>, Unusable> {
    let mut found = None;
    for (_, value) in all.filter(|(field, _)| *field == COOKIE) {
        // Pair by pair: other cookies may have any bytes.
        for pair in value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii) {
            let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
            else {
                continue;
            };
            let Some(value) = wire::text(value).filter(|value| !value.is_empty()) else { continue };
            if found.is_some_and(|first| first != value) {
                return Err(Unusable::Contradictory);
            }
            found = Some(value);
        }
    }
    Ok(found)
}

/// Three base64url parts between dots (RFC 7515, 7.1).
fn jwt(text: &[u8]) -> Option<&str> {
    let is_sound = |part: &[u8]| {
        !part.is_empty() && part.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let mut parts = text.split(|&byte| byte == b'.');
    let three = [parts.next(), parts.next(), parts.next()].into_iter().all(|part| part.is_some_and(is_sound));
    std::str::from_utf8(text).ok().filter(|_| three && parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_read_as_rfc_9110_says() {
        assert_eq!(bearer(b"Bearer ocr_1"), Some(&b"ocr_1"[..]));
        assert_eq!(bearer(b"bEARER \t ocr_1"), Some(&b"ocr_1"[..]));
        assert_eq!(bearer(b"Bearer"), None);
        assert_eq!(bearer(b"Bearer "), None);
        assert_eq!(bearer(b"Basic b2NyXzE="), None);
    }

    #[test]
    fn a_jwt_has_three_parts() {
        assert_eq!(jwt(b"eyJh.eyJz.c2ln"), Some("eyJh.eyJz.c2ln"));
        for no in ["eyJh.eyJz", "eyJh.eyJz.c2ln.x", "eyJh..c2ln", "eyJh.eyJz.c2l=", "ocr_1"] {
            assert_eq!(jwt(no.as_bytes()), None, "{no}");
        }
    }
}
