//! The fields that every answer carries: the request's id, and what is left of the caller's quota. They are handed out
//! as bytes, so that an HTTP/1.1 answer has them written without their being put into a map first.

use super::ids::RequestId;
use super::observe::Trail;
use super::route::{PreparedLimit, Routed};
use crate::limiter::Verdict;
use crate::upstream::Displaced;
use crate::wire::{write_field, write_number};
use http::Version;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use std::ptr;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is put on one answer, in place of whatever an upstream said under the same names.
#[derive(Debug)]
pub struct Marks<'t> {
    request_id: &'t RequestId,
    /// On every answer to somebody identified, refused or not.
    quota: Option<(&'t PreparedLimit, &'t Verdict)>,
}

impl<'t> Marks<'t> {
    /// The marks of a request, as far as it came.
    pub(super) fn of(trail: &'t Trail) -> Self {
        Self { request_id: trail.request_id(), quota: trail.limit().zip(trail.verdict.as_ref()) }
    }

    /// Hands out name and value of each field.
    pub fn each(&self, mut visit: impl FnMut(&'static HeaderName, &[u8])) {
        visit(&X_REQUEST_ID, self.request_id.as_bytes());
        let Some((limit, verdict)) = self.quota else { return };
        visit(&X_RATELIMIT_LIMIT, limit.limit_value.as_bytes());
        visit(&X_RATELIMIT_REMAINING, Text::of(verdict.remaining.into()).bytes());
        visit(&X_RATELIMIT_RESET, Text::of(verdict.reset_unix_s).bytes());
        visit(&RATELIMIT_POLICY, limit.policy_value.as_bytes());
        let mut text = Text::default();
        text.rate_limit(verdict);
        visit(&RATELIMIT, text.bytes());
        if limit.refuses(verdict) {
            visit(&RETRY_AFTER, Text::of(verdict.retry_after_s).bytes());
        }
    }

    /// Whether a field of this name, in any case, is handed out.
    pub fn replaces(&self, name: &[u8]) -> bool {
        if is_retry_after(name) {
            return self.quota.is_some_and(|(limit, verdict)| limit.refuses(verdict));
        }
        is_request_id(name) || (self.quota.is_some() && is_quota(name))
    }

    /// Writes the fields as lines of HTTP/1.1. What of them is the same for every request was put together before.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"x-request-id: ");
        out.extend_from_slice(self.request_id.as_bytes());
        let Some((limit, verdict)) = self.quota else { return out.extend_from_slice(b"\r\n") };
        out.extend_from_slice(&limit.lines);
        let mut text = Text::default();
        text.number(verdict.remaining.into());
        text.text(b"\r\nx-ratelimit-reset: ");
        text.number(verdict.reset_unix_s);
        text.text(b"\r\nratelimit: ");
        text.rate_limit(verdict);
        text.text(b"\r\n");
        out.extend_from_slice(text.bytes());
        if limit.refuses(verdict) {
            write_field(out, &RETRY_AFTER, Text::of(verdict.retry_after_s).bytes());
        }
    }

    /// Puts the fields into a map, for HTTP/2. With `apart`, those that change with each answer say that they are not to be
    /// indexed (RFC 7541, 6.2.3): what comes once drives nothing out of the tables that comes again.
    pub fn insert(&self, headers: &mut HeaderMap, apart: bool) {
        // By where they stand: to compare names would take a tenth of what this takes.
        let comes_again = |name| ptr::eq(name, &X_RATELIMIT_LIMIT) || ptr::eq(name, &RATELIMIT_POLICY);
        self.each(|name, value| {
            // Numbers, ids and quoted names: always valid.
            if let Ok(mut value) = HeaderValue::from_bytes(value) {
                value.set_sensitive(apart && !comes_again(name));
                headers.insert(name, value);
            }
        });
    }
}

/// The lines that begin with the end of the request id's and end within that of what remains.
pub(super) fn lines(limit_value: &HeaderValue, policy_value: &HeaderValue) -> Box<[u8]> {
    let mut lines = b"\r\n".to_vec();
    write_field(&mut lines, &X_RATELIMIT_LIMIT, limit_value.as_bytes());
    write_field(&mut lines, &RATELIMIT_POLICY, policy_value.as_bytes());
    lines.extend_from_slice(b"x-ratelimit-remaining: ");
    lines.into()
}

/// Which fields of an upstream's answer to this request make room for ours, where its client can have the others as they
/// stand. None where something else than [`Marks`] alters them, or where they are read.
pub(super) fn displaced(version: Version, routed: &Routed<'_>, trail: &Trail) -> Option<Displaced> {
    let altered = routed.route.response_headers.is_some() || routed.api.cors.is_some();
    let marks = Marks::of(trail);
    match marks.quota {
        _ if altered || version >= Version::HTTP_2 => None,
        Some((limit, verdict)) if limit.refuses(verdict) => None,
        Some(_) => Some(|name| is_request_id(name) || is_quota(name)),
        None => Some(is_request_id),
    }
}

fn is_request_id(name: &[u8]) -> bool {
    name.len() == 12 && name.eq_ignore_ascii_case(b"x-request-id")
}

fn is_retry_after(name: &[u8]) -> bool {
    name.len() == 11 && name.eq_ignore_ascii_case(b"retry-after")
}

fn is_quota(name: &[u8]) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match name.len() {
        9 => is("ratelimit"),
        16 => is("ratelimit-policy"),
        17 => is("x-ratelimit-limit") || is("x-ratelimit-reset"),
        21 => is("x-ratelimit-remaining"),
        _ => false,
    }
}

/// Bytes of the longest [`Text`].
const TEXT: usize = 160;

/// A short text on the stack.
struct Text {
    bytes: [u8; TEXT],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; TEXT], length: 0 }
    }
}

impl Text {
    fn of(number: u64) -> Self {
        let mut text = Self::default();
        text.number(number);
        text
    }

    fn text(&mut self, text: &[u8]) {
        self.bytes[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
    }

    fn number(&mut self, number: u64) {
        let mut rest = &mut self.bytes[self.length..];
        let room = rest.len();
        write_number(&mut rest, number);
        self.length += room - rest.len();
    }

    /// The `RateLimit` field of draft-ietf-httpapi-ratelimit-headers: what remains, and seconds until there is more.
    fn rate_limit(&mut self, verdict: &Verdict) {
        let wait = if verdict.allowed { verdict.reset_after_s } else { verdict.retry_after_s };
        self.text(b"\"default\";r=");
        self.number(verdict.remaining.into());
        self.text(b";t=");
        self.number(wait);
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::Ids;
    use super::*;
    use crate::config::{Mode, RateLimit};
    use crate::limiter::{Algorithm, Limiter, Rate};
    use std::num::NonZeroU32;
    use std::time::Duration;

    #[test]
    fn the_longest_text_fits() {
        let most = u64::MAX;
        let longest =
            format!("{most}\r\nx-ratelimit-reset: {most}\r\nratelimit: \"default\";r={most};t={most}\r\n");
        assert!(longest.len() <= TEXT);
        assert_eq!(Text::of(most).bytes(), most.to_string().as_bytes());
    }

    #[test]
    fn what_is_written_is_what_is_handed_out() {
        let verdict = |allowed| Verdict {
            allowed,
            limit: 60,
            remaining: 7,
            reset_after_s: 5,
            reset_unix_s: 1_800_000_000,
            retry_after_s: u64::from(!allowed),
        };
        let rate = Rate {
            requests: NonZeroU32::new(60).unwrap(),
            per: Duration::from_secs(60),
            algorithm: Algorithm::TokenBucket,
        };
        let limit =
            PreparedLimit::new(RateLimit { rate, mode: Mode::Enforce }, Limiter::new().slot("an-api"));
        let request_id = Ids::new().unwrap().request_id();
        for quota in [None, Some((&limit, &verdict(true))), Some((&limit, &verdict(false)))] {
            let marks = Marks { request_id: &request_id, quota };
            let (mut written, mut handed_out) = (Vec::new(), Vec::new());
            marks.write(&mut written);
            marks.each(|name, value| {
                assert!(marks.replaces(name.as_str().to_uppercase().as_bytes()), "{name}");
                write_field(&mut handed_out, name, value);
            });
            let lines = |bytes: &[u8]| {
                let mut lines: Vec<_> = String::from_utf8(bytes.into())
                    .unwrap()
                    .split_inclusive("\r\n")
                    .map(str::to_owned)
                    .collect();
                lines.sort();
                lines
            };
            assert_eq!(lines(&written), lines(&handed_out));
        }
    }
}
