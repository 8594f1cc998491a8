//! Stage 7: the client's credential out, ours in. What leaves here is all that an upstream sees.

use super::authorize::Grant;
use super::identity::Asked;
use super::observe::Trail;
use super::reject::Reject;
use super::route::Routed;
use super::trace_context::{Parent, TRACEPARENT, TRACESTATE};
use super::{Peer, Worker, marks, rewrite};
use crate::config::is_judged;
pub(super) use crate::config::is_reserved as is_ours;
use crate::upstream::{Added, Head, Service};
use crate::wire::{Fields, Request, Target};
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE};
use http::uri::PathAndQuery;
use std::borrow::Cow;

static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
static CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The head of a request as the upstream will see it. Only [`credentials`] makes one.
#[derive(Debug)]
pub(super) struct Outbound {
    /// On the heap, because it is handed on often from here, and is large.
    head: Box<Head>,
}

impl Outbound {
    /// The head.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// What is left when it has been sent.
    pub(super) fn into_head(self) -> Head {
        *self.head
    }

    /// Wants the answer's fields in its map.
    pub(super) fn look_at_fields(&mut self) {
        self.head.lines = None;
    }

    /// Adds a field of ours.
    pub(super) fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.head.added.push(name, value.as_bytes());
    }
}

/// Takes a request's head, hides everything in it that is the client's to this hop, and puts in the identity for the upstream that it goes
/// to.
///
/// # Errors
/// [`Reject::Listed`], [`Reject::Internal`] when an identity can not be signed.
pub(super) fn credentials(
    worker: &Worker,
    peer: &Peer,
    routed: &Routed<'_>,
    grant: &Grant,
    to: &Service,
    request: &mut Request,
    trail: &Trail,
) -> Result<Outbound, Reject> {
    let told = Told::by(&request.fields);
    let mut added = Added::new(&worker.pools.scratch);
    peer.forward(&request.fields, &mut added);
    if let Some(host) = host_of(&request.target, &request.fields) {
        added.push(&X_FORWARDED_HOST, host);
    }
    if let Some(prefix) = &routed.route.forwarded_prefix {
        added.push(&X_FORWARDED_PREFIX, prefix.as_bytes());
    }
    if let Some(field) = peer.certificate.as_ref().and_then(|certificate| certificate.field.as_ref()) {
        added.push(&CLIENT_CERT, field.as_bytes());
    }
    added.lines(&worker.ids.lines(told.parent, trail.trace(), trail.request_id()));
    if told.trailers {
        added.lines(b"te: trailers\r\n");
    }
    let listed = told.listed;
    let (shared, snapshot, now) = (&*worker.shared, trail.snapshot(), trail.at());
    let asked = Asked { shared, snapshot, routed, grant, service: to, now };
    added.identify(|out| worker.identities.write(asked, out))?;
    // What was checked is what is sent: none of these may go missing on the way.
    let conditions = &routed.route.config.conditions;
    let decided = |name: &HeaderName| conditions.headers.iter().any(|(condition, _)| condition == name);
    if listed.iter().any(|name| is_judged(name.as_str()) || decided(name)) {
        return Err(Reject::Listed);
    }
    let (overlay, timeout) = (routed.route.request_headers.clone(), routed.route.config.timeout);
    let lines = marks::displaced(request.version, routed, trail);
    let target = target(std::mem::take(&mut request.target), routed, grant)?;
    let head = Head {
        method: std::mem::take(&mut request.method),
        target,
        client: std::mem::take(&mut request.fields),
        listed,
        added,
        overlay,
        timeout,
        lines,
        steps: trail.trace().map(|trace| trace.steps.clone()),
    };
    Ok(Outbound { head: Box::new(head) })
}

/// The request target in origin form: the path that was matched, or what is made of it; the query that was checked.
fn target(came: Target, routed: &Routed<'_>, grant: &Grant) -> Result<String, Reject> {
    let rewrite = routed.route.config.rewrite.as_ref();
    if rewrite.is_none() && routed.path.is_none() && grant.query().is_none() {
        return Ok(came.into_origin());
    }
    let path = routed.path.as_deref().unwrap_or_else(|| came.path());
    let path = rewrite.map_or(Cow::Borrowed(path), |rewrite| Cow::Owned(rewrite::path(rewrite, path)));
    let query = grant.query().or_else(|| came.query());
    let text = match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.into_owned(),
    };
    let sound = PathAndQuery::try_from(&*text).is_ok();
    if sound { Ok(text) } else { Err(Reject::AmbiguousPath) }
}

/// What fields of the client's say to this hop.
#[derive(Debug)]
struct Told {
    /// The trace that it is a part of.
    parent: Option<Parent>,
    /// It reads trailers.
    trailers: bool,
    /// Fields that its `Connection` lists: they end at this hop (RFC 9110, 7.6.1). So does `tracestate` without a trace.
    listed: Vec<HeaderName>,
}

impl Told {
    fn by(fields: &Fields) -> Self {
        let parent = fields.get(&TRACEPARENT).and_then(Parent::parse);
        let mut listed: Vec<HeaderName> = fields.get_all(&CONNECTION).flat_map(self::listed).collect();
        if parent.is_none() && fields.contains(&TRACESTATE) {
            listed.push(TRACESTATE.clone());
        }
        let trailers = fields.get_all(&TE).any(|value| contains_token(value, "trailers"));
        Self { parent, trailers, listed }
    }
}

fn listed(value: &[u8]) -> impl Iterator<Item = HeaderName> {
    value.split(|&byte| byte == b',').filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
}

fn contains_token(value: &[u8], wanted: &str) -> bool {
    let mut tokens = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    tokens.any(|token| token.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The host that the client asked for: the authority of an absolute target wins over `Host` (RFC 9112, 3.2.2). What
/// stands before an `@` is a credential and goes no further.
pub(super) fn host_of<'r>(target: &'r Target, fields: &'r Fields) -> Option<&'r [u8]> {
    match target.authority() {
        Some(authority) => Some(authority.rsplit('@').next().unwrap_or_default().as_bytes()),
        None => fields.get(&HOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Scratch;
    use http::HeaderMap;

    #[test]
    fn no_spelling_of_a_name_that_is_ours_gets_through() {
        let mut client = HeaderMap::new();
        for name in [
            "authorization",
            "x-api-key",
            "cookie",
            "x-gateway-project-id",
            "x_gateway_project_id",
            "x-gateway_project-id",
            "X-Forwarded-For",
            "x_forwarded_for",
            "x_api_key",
            "forwarded",
            "te",
            "upgrade",
            "x-request-id",
            "x_request_id",
            "x.gateway.project.id",
            "x-http-method-override",
            "x_rewrite_url",
            "content_length",
            "content_type",
            "x_org_slug",
            "x-gateway-anything",
            "client-cert",
            "Client_Cert",
            "client-cert-chain",
            "content-length",
            "transfer-encoding",
            "host",
            "x_portcullis_mirror",
            "accept",
            "x-custom",
        ] {
            client.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("1"));
        }
        client.insert(CONNECTION, HeaderValue::from_static("close, X-Custom"));
        let client = Fields::of(&client, &Scratch::default());
        let head = Head {
            method: http::Method::GET,
            target: "/".to_owned(),
            listed: Told::by(&client).listed,
            client,
            added: Added::default(),
            overlay: None,
            timeout: None,
            lines: None,
            steps: None,
        };
        let out: Vec<&str> = head.passing().map(|(name, _)| name.as_str()).collect();
        assert_eq!(out, ["accept"]);
    }
}
