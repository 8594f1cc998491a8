//! The fields that every answer carries: the request's id, and what is left of the caller's quota. They are handed out
//! as bytes, so that an HTTP/1.1 answer has them written without their being put into a map first.

use super::arena::Arena;
use super::observe::Trail;
use super::route::PreparedLimit;
use crate::limiter::Verdict;
use crate::wire::write_number;
use bytes::BufMut;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is put on one answer, in place of whatever an upstream said under the same names.
#[derive(Debug)]
pub struct Marks<'t> {
    request_id: &'t HeaderValue,
    arena: &'t Arena,
    /// On every answer to somebody identified, refused or not.
    quota: Option<(&'t PreparedLimit, &'t Verdict)>,
}

impl<'t> Marks<'t> {
    /// The marks of a request, as far as it came.
    pub(super) fn of(trail: &'t Trail) -> Self {
        Self {
            request_id: trail.request_id(),
            arena: trail.arena(),
            quota: trail.limit().zip(trail.verdict.as_ref()),
        }
    }

    /// Hands out name and value of each field.
    pub fn each(&self, mut visit: impl FnMut(&'static HeaderName, &[u8])) {
        visit(&X_REQUEST_ID, self.request_id.as_bytes());
        let Some((limit, verdict)) = self.quota else { return };
        visit(&X_RATELIMIT_LIMIT, limit.limit_value.as_bytes());
        visit(&X_RATELIMIT_REMAINING, Text::default().number(verdict.remaining.into()).bytes());
        visit(&X_RATELIMIT_RESET, Text::default().number(verdict.reset_unix_s).bytes());
        visit(&RATELIMIT_POLICY, limit.policy_value.as_bytes());
        visit(&RATELIMIT, rate_limit(verdict).bytes());
        if limit.refuses(verdict) {
            visit(&RETRY_AFTER, Text::default().number(verdict.retry_after_s).bytes());
        }
    }

    /// Whether a field of this name is handed out.
    pub fn replaces(&self, name: &HeaderName) -> bool {
        match name.as_str() {
            "x-request-id" => true,
            "x-ratelimit-limit" | "x-ratelimit-remaining" | "x-ratelimit-reset" => self.quota.is_some(),
            "ratelimit" | "ratelimit-policy" => self.quota.is_some(),
            "retry-after" => self.quota.is_some_and(|(limit, verdict)| limit.refuses(verdict)),
            _ => false,
        }
    }

    /// Puts the fields into a map, for HTTP/2. With `apart`, those that change with each answer say that they are not to be
    /// indexed (RFC 7541, 6.2.3): what comes once drives nothing out of the tables that comes again.
    pub fn insert(&self, headers: &mut HeaderMap, apart: bool) {
        let mut put = |name, mut value: HeaderValue| {
            value.set_sensitive(apart);
            headers.insert(name, value);
        };
        put(&X_REQUEST_ID, self.request_id.clone());
        let Some((limit, verdict)) = self.quota else { return };
        let text = |text: Text| self.arena.value(text.length, |out| out.put_slice(text.bytes()));
        put(&X_RATELIMIT_REMAINING, text(Text::default().number(verdict.remaining.into())));
        put(&X_RATELIMIT_RESET, text(Text::default().number(verdict.reset_unix_s)));
        put(&RATELIMIT, text(rate_limit(verdict)));
        if limit.refuses(verdict) {
            put(&RETRY_AFTER, text(Text::default().number(verdict.retry_after_s)));
        }
        headers.insert(&X_RATELIMIT_LIMIT, limit.limit_value.clone());
        headers.insert(&RATELIMIT_POLICY, limit.policy_value.clone());
    }
}

/// The `RateLimit` field of draft-ietf-httpapi-ratelimit-headers: what remains, and seconds until there is more.
fn rate_limit(verdict: &Verdict) -> Text {
    let wait = if verdict.allowed { verdict.reset_after_s } else { verdict.retry_after_s };
    Text::default().text(b"\"default\";r=").number(verdict.remaining.into()).text(b";t=").number(wait)
}

/// A short text on the stack.
struct Text {
    bytes: [u8; 64],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }
}

impl Text {
    fn text(mut self, text: &[u8]) -> Self {
        (&mut self.bytes[self.length..]).put_slice(text);
        self.length += text.len();
        self
    }

    fn number(mut self, number: u64) -> Self {
        let mut rest = &mut self.bytes[self.length..];
        let room = rest.len();
        write_number(&mut rest, number);
        self.length += room - rest.len();
        self
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_fits() {
        let longest = Text::default().text(b"\"default\";r=").number(u64::MAX).text(b";t=").number(u64::MAX);
        assert_eq!(longest.bytes(), format!("\"default\";r={0};t={0}", u64::MAX).as_bytes());
    }
}
