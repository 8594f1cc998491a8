//! What the configuration says of changing messages on their way: paths, redirects, header fields.

use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

/// What an upstream gets in place of the path that was matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// The path without this beginning, which is whole segments: `/v1`.
    Strip(Arc<str>),
    /// Another path.
    Path(Template),
}

/// A path made of literal segments and of segments of the path that was matched, so that it is in the normal form as
/// that one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This segment.
    Literal(Arc<str>),
    /// The segment at this place of the path.
    Segment(usize),
    /// What follows that many segments of the path, a closing slash included.
    Rest(usize),
}

/// Sends a client elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Scheme and host.
    pub origin: Origin,
    /// The path there.
    pub path: Template,
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}

/// Where a redirect leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Where the request came: the answer names no host.
    Same,
    /// This scheme and host, such as `https://example.com`.
    Fixed(Arc<str>),
    /// This scheme, and the host of the request, which is one of those that are configured.
    Asked(&'static str),
}

/// Header fields that are altered. Of one name, what is removed goes first, then what is set, then what is added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Taken out.
    pub remove: Vec<HeaderName>,
    /// Put in place of whatever is there.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Put beside whatever is there.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

/// Whether a field of a request, by its name in lower case, is the gateway's alone to set, and the client has no say in it.
/// Whatever is no letter or digit counts as a hyphen, because servers of the CGI kind read it so.
pub fn is_reserved(name: &str) -> bool {
    match name {
        "authorization" | "x-api-key" | "cookie" | "proxy-authorization" => true,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
        | "expect" | "http2-settings" => true,
        // RFC 9440: said by whoever ends TLS, and by nobody else.
        "client-cert" | "client-cert-chain" => true,
        "host" | "forwarded" | "x-real-ip" | "x-request-id" | "traceparent" => true,
        // Frameworks that honour these would serve another method or path than the one that was checked.
        "x-http-method" | "x-http-method-override" | "x-method-override" => true,
        "x-original-url" | "x-rewrite-url" => true,
        _ if name.starts_with("x-gateway-") || name.starts_with("x-forwarded-") => true,
        "x-portcullis-mirror" => true,
        _ => name.contains(is_odd) && folds_into_reserved(name),
    }
}

/// Whether a name comes out, where hyphens and underscores are one, as what no client may say or what frames the body.
pub fn folds_into_reserved(name: &str) -> bool {
    let name = &*folded(name);
    is_reserved(name) || is_judged(name) || name == "content-length"
}

/// A field's name as servers of the CGI kind read it, with hyphens.
pub fn folded(name: &str) -> String {
    name.replace(is_odd, "-")
}

/// Whether such a server takes a field's name for another one.
pub fn is_folded(name: &str) -> bool {
    name.contains(is_odd)
}

/// Whether a field of the client's own, by its name in lower case, decides how a request is judged.
pub fn is_judged(name: &str) -> bool {
    matches!(name, "content-type" | "content-encoding" | "x-org-slug")
}

fn is_odd(c: char) -> bool {
    !c.is_ascii_alphanumeric() && c != '-'
}
