//! One file, and its answers: cached where that is safe, and unable to load anything from elsewhere.

use crate::config::Dialect;
use crate::dialect::{self, Fault};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// What pages, and whatever else a browser may show by itself, may load and do: nothing from another host, no script or style that
/// is not a file of ours, in nobody's frame, and no form is sent but by a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The same, with images that are part of a style.
const POLICY_WITH_DATA: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// No window that has opened a page, or was opened by one, gets hold of it.
const OPENER: (HeaderName, &str) = (HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
/// A page has no use for what it could ask of a person's machine, but for the clipboard, to which it copies.
const PERMISSIONS: (HeaderName, &str) = (
    HeaderName::from_static("permissions-policy"),
    "camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), payment=(), serial=(), usb=()",
);
/// For browsers that do not know `frame-ancestors`.
const FRAMES: (HeaderName, &str) = (X_FRAME_OPTIONS, "DENY");
/// A name with a hash of the content never means another content.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Kept, and asked for again with its `ETag`.
const ASKED_AGAIN: &str = "no-cache";

/// A file that does not change while the program runs.
#[derive(Clone, Debug)]
pub struct File {
    content_type: &'static str,
    plain: Content,
    gzip: Option<Content>,
    cache: &'static str,
    policy: &'static str,
    /// Whether a browser shows it as a page.
    page: bool,
}

/// One form of the content.
#[derive(Clone, Debug)]
struct Content {
    bytes: Bytes,
    etag: HeaderValue,
}

impl Content {
    fn new(bytes: Bytes) -> Self {
        let hash = digest(&SHA256, &bytes);
        let text: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let etag = HeaderValue::try_from(format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes, etag }
    }
}

impl File {
    /// A file of this type.
    pub fn new(content_type: &'static str, content: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            plain: Content::new(content.into()),
            gzip: None,
            cache: ASKED_AGAIN,
            policy: POLICY,
            page: false,
        }
    }

    /// A page.
    pub(super) fn page(content: impl Into<Bytes>) -> Self {
        Self { page: true, ..Self::new("text/html; charset=utf-8", content) }
    }

    /// The same with images that are part of its styles.
    pub(super) fn with_images_in_data(self) -> Self {
        Self { policy: POLICY_WITH_DATA, ..self }
    }

    /// The same with its content in gzip, for those who take it.
    pub(super) fn with_gzip(self, content: &'static [u8]) -> Self {
        Self { gzip: Some(Content::new(content.into())), ..self }
    }

    /// The same, never to be asked for again.
    pub(super) fn immutable(self) -> Self {
        Self { cache: FOR_GOOD, ..self }
    }

    /// Answers a request for it.
    pub fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<Bytes> {
        if method != Method::GET && method != Method::HEAD {
            return not_allowed();
        }
        let gzip = self.gzip.as_ref().filter(|_| takes_gzip(headers));
        let content = gzip.unwrap_or(&self.plain);
        let known = is_known(headers, &content.etag);
        let mut response = Response::new(if known { Bytes::new() } else { content.bytes.clone() });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let fields = response.headers_mut();
        let mut put = |name: HeaderName, value: &'static str| {
            fields.insert(name, HeaderValue::from_static(value));
        };
        put(CACHE_CONTROL, self.cache);
        put(CONTENT_SECURITY_POLICY, self.policy);
        put(X_CONTENT_TYPE_OPTIONS, "nosniff");
        put(REFERRER_POLICY, "no-referrer");
        if self.page {
            for (name, value) in [OPENER, PERMISSIONS, FRAMES] {
                put(name, value);
            }
        }
        if self.gzip.is_some() {
            put(VARY, "Accept-Encoding");
        }
        if !known {
            put(CONTENT_TYPE, self.content_type);
            if gzip.is_some() {
                put(CONTENT_ENCODING, "gzip");
            }
        }
        fields.insert(ETAG, content.etag.clone());
        response
    }
}

fn not_allowed() -> Response<Bytes> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let fault = Fault { status, message: "This path only has GET and HEAD.", field: None };
    let rendered = dialect::render(Dialect::Problem, &fault);
    let mut response = Response::new(rendered.body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, rendered.content_type);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// Each entry of a list in a header field, trimmed.
fn entries<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
}

/// RFC 9110, 13.1.2: compared weakly.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    entries(headers, &IF_NONE_MATCH).any(|entry| entry == "*" || entry.trim_start_matches("W/") == etag)
}

/// RFC 9110, 12.5.3: named, and not with a weight of zero.
fn takes_gzip(headers: &HeaderMap) -> bool {
    entries(headers, &ACCEPT_ENCODING).any(|entry| {
        let (coding, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        coding.trim().eq_ignore_ascii_case("gzip") && weight.unwrap_or(1.0) > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())])
    }

    fn file() -> File {
        File::new("text/plain", "plain").with_gzip(b"gzip")
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let first = file().answer(&Method::GET, &HeaderMap::new());
        assert_eq!(first.body(), "plain");
        let etag = first.headers()[ETAG].to_str().unwrap().to_owned();
        for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let again = file().answer(&Method::GET, &headers(IF_NONE_MATCH, &known));
            assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(again.headers()[ETAG], *etag);
        }
        let other = file().answer(&Method::GET, &headers(IF_NONE_MATCH, "\"x\""));
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (accepted, gzip) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false), ("", false)]
        {
            let answer = file().answer(&Method::GET, &headers(ACCEPT_ENCODING, accepted));
            assert_eq!(answer.headers().contains_key(CONTENT_ENCODING), gzip, "{accepted}");
            assert_eq!(answer.body(), if gzip { "gzip" } else { "plain" });
            assert_eq!(answer.headers()[VARY], "Accept-Encoding");
        }
    }

    #[test]
    fn files_are_only_read() {
        let answer = file().answer(&Method::POST, &HeaderMap::new());
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()[ALLOW], "GET, HEAD");
    }
}
