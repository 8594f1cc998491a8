//! Stage 7: the client's credential out, ours in. What leaves here is all that an upstream sees.

use super::authenticate::Known;
use super::authorize::{Grant, organization_of};
use super::observe::Trail;
use super::reject::Reject;
use super::route::Routed;
use super::{Peer, Snapshot, Worker};
use crate::clock::Moment;
use crate::config::Identity;
use crate::store::cache::{Entry, UserEntry};
use crate::token::signer::IdentityClaims;
use crate::token::{ProjectId, Role};
use http::header::{AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::PathAndQuery;
use http::{Uri, Version, request};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::{Arc, Weak};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static ORGANIZATION_ID: HeaderName = HeaderName::from_static("x-gateway-organization-id");
static PROJECT_ID: HeaderName = HeaderName::from_static("x-gateway-project-id");
static TOKEN_ID: HeaderName = HeaderName::from_static("x-gateway-token-id");
static TOKEN_TYPE: HeaderName = HeaderName::from_static("x-gateway-token-type");
static USER_ID: HeaderName = HeaderName::from_static("x-gateway-user-id");
static PERMISSIONS: HeaderName = HeaderName::from_static("x-gateway-permissions");
static SCOPES: HeaderName = HeaderName::from_static("x-gateway-scopes");

/// The head of a request as the upstream will see it. Only [`credentials`] makes one.
#[derive(Debug)]
pub(super) struct Outbound {
    parts: request::Parts,
}

impl Outbound {
    /// The head.
    pub(super) fn into_parts(self) -> request::Parts {
        self.parts
    }
}

/// Takes everything out of the head that is the client's to this hop, and puts the identity in.
///
/// # Errors
/// [`Reject::Internal`] when an identity can not be signed.
pub(super) fn credentials(
    worker: &Worker,
    snapshot: &Snapshot,
    peer: &Peer,
    routed: &Routed<'_>,
    grant: &Grant,
    mut parts: request::Parts,
    trail: &Trail,
) -> Result<Outbound, Reject> {
    parts.uri = target(&parts.uri, routed, grant)?;
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let trailers = parts.headers.get(TE).is_some_and(|te| contains_token(te, "trailers"));
    let forwarded_for = peer.forwarded_for(&parts.headers);
    let traceparent =
        worker.ids.traceparent(parts.headers.get(&TRACEPARENT), trail.request_id(), &worker.arena);
    strip(&mut parts.headers);
    let headers = &mut parts.headers;
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    headers.insert(&X_FORWARDED_FOR, forwarded_for);
    headers.insert(&X_FORWARDED_PROTO, peer.proto.clone());
    if let Some(host) = trail.host() {
        headers.insert(&X_FORWARDED_HOST, host.clone());
    }
    headers.insert(&X_REQUEST_ID, trail.request_id().clone());
    headers.insert(&TRACEPARENT, traceparent);
    if routed.api.config.identity != Identity::None {
        identify(worker, snapshot, routed, grant, trail.at(), headers)?;
    }
    Ok(Outbound { parts })
}

/// The request target in origin form: the path that was matched, the query that was checked.
fn target(uri: &Uri, routed: &Routed<'_>, grant: &Grant) -> Result<Uri, Reject> {
    if routed.path.is_none() && grant.query().is_none() {
        if uri.scheme().is_none() && uri.authority().is_none() {
            return Ok(uri.clone());
        }
        return Ok(uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from));
    }
    let path = routed.path.as_deref().unwrap_or_else(|| uri.path());
    let query = grant.query().or_else(|| uri.query());
    let text = match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    };
    PathAndQuery::try_from(text).map(Uri::from).map_err(|_| Reject::AmbiguousPath)
}

/// Removes credentials, hop-by-hop fields (RFC 9110, 7.6.1) and every name that is ours to set, from a head and from
/// trailers: some servers merge the two.
pub(super) fn strip(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let doomed: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
    for name in listed.iter().chain(&doomed) {
        headers.remove(name);
    }
}

/// A field that a client has no say in. Whatever is no letter or digit counts as a hyphen, because servers of the CGI
/// kind read it so.
fn is_ours(name: &str) -> bool {
    match name {
        "authorization" | "x-api-key" | "cookie" | "proxy-authorization" => true,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
        | "expect" | "http2-settings" => true,
        "host" | "forwarded" | "x-real-ip" | "x-request-id" | "traceparent" => true,
        // Frameworks that honour these would serve another method or path than the one that was checked.
        "x-http-method" | "x-http-method-override" | "x-method-override" => true,
        "x-original-url" | "x-rewrite-url" => true,
        _ if name.starts_with("x-gateway-") || name.starts_with("x-forwarded-") => true,
        _ => name.contains(is_odd) && is_ours(&name.replace(is_odd, "-")),
    }
}

fn is_odd(c: char) -> bool {
    !c.is_ascii_alphanumeric() && c != '-'
}

fn contains_token(value: &HeaderValue, wanted: &str) -> bool {
    value.to_str().is_ok_and(|text| text.split(',').any(|token| token.trim().eq_ignore_ascii_case(wanted)))
}

fn identify(
    worker: &Worker,
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    grant: &Grant,
    now: Moment,
    headers: &mut HeaderMap,
) -> Result<(), Reject> {
    match grant.known() {
        Known::Anonymous => return Ok(()),
        Known::Key(entry) => {
            let prepared = entry.attached(Prepared::new);
            headers.insert(&ORGANIZATION_ID, prepared.organization.clone());
            headers.insert(&TOKEN_ID, prepared.token.clone());
            headers.insert(&TOKEN_TYPE, prepared.kind.clone());
            headers.insert(&PERMISSIONS, prepared.permissions.clone());
            headers.insert(&SCOPES, prepared.scopes.clone());
        }
        Known::User(user) => {
            headers.insert(&USER_ID, header(user.record.id.as_str()));
            headers.insert(&TOKEN_TYPE, HeaderValue::from_static("user"));
            if let Some(membership) = grant.membership() {
                headers.insert(&ORGANIZATION_ID, header(membership.organization.as_str()));
                headers.insert(&PERMISSIONS, list(membership.role.permissions().iter()));
            }
        }
    }
    let minted = worker.identities.of(snapshot, routed, grant, now)?;
    if let Some(project) = &minted.project_value {
        headers.insert(&PROJECT_ID, project.clone());
    }
    if let Some(authorization) = &minted.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    Ok(())
}

/// Header values that are the same for each request of a key.
#[derive(Debug)]
struct Prepared {
    organization: HeaderValue,
    token: HeaderValue,
    kind: HeaderValue,
    permissions: HeaderValue,
    scopes: HeaderValue,
}

impl Prepared {
    fn new(entry: &Entry) -> Self {
        let record = &entry.record;
        Self {
            organization: header(record.organization.as_str()),
            token: header(record.id.as_str()),
            kind: HeaderValue::from_static(record.reach.as_str()),
            permissions: list(record.permissions.iter()),
            scopes: list(record.scopes.iter().map(AsRef::as_ref)),
        }
    }
}

/// A header value for any text: bytes that are not visible ASCII, commas and `%` are percent-encoded.
fn header(text: &str) -> HeaderValue {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | b',' | 0..=0x20 | 0x7f.. => super::path::push_escape(&mut value, byte),
            _ => value.push(char::from(byte)),
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> HeaderValue {
    let values: Vec<HeaderValue> = items.map(header).collect();
    let joined = values.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b',');
    HeaderValue::from_bytes(&joined).unwrap_or(HeaderValue::from_static(""))
}

/// Most identities that one worker keeps.
const MOST_KEPT: usize = 32_768;

/// The identities that one worker has signed and may use again.
#[derive(Debug, Default)]
pub(super) struct Identities {
    minted: RefCell<HashMap<u64, Rc<Minted>, foldhash::fast::RandomState>>,
    hasher: foldhash::fast::RandomState,
}

/// One signed identity: of this holder, in this state, for this upstream and project.
#[derive(Debug)]
struct Minted {
    holder: Holder,
    upstream: usize,
    project: Option<ProjectId>,
    project_value: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
    /// Seconds since 1970; from then on a new one is signed.
    fresh_until_s: u64,
}

/// Names a record in memory. The weak reference keeps the address from being used again, so that two records never
/// share an identity, without keeping the record itself.
#[derive(Debug)]
enum Holder {
    Key(Weak<Entry>),
    User(Weak<UserEntry>, Option<(String, Role)>),
}

impl Holder {
    fn of(grant: &Grant) -> Option<Self> {
        match grant.known() {
            Known::Anonymous => None,
            Known::Key(entry) => Some(Self::Key(Arc::downgrade(entry))),
            Known::User(user) => Some(Self::User(Arc::downgrade(user), place(grant))),
        }
    }

    fn is(&self, grant: &Grant) -> bool {
        match (self, grant.known()) {
            (Self::Key(held), Known::Key(entry)) => held.as_ptr() == Arc::as_ptr(entry),
            (Self::User(held, at), Known::User(user)) => {
                held.as_ptr() == Arc::as_ptr(user) && *at == place(grant)
            }
            _ => false,
        }
    }
}

fn place(grant: &Grant) -> Option<(String, Role)> {
    grant.membership().map(|membership| (membership.organization.as_str().to_owned(), membership.role))
}

impl Identities {
    fn of(
        &self,
        snapshot: &Snapshot,
        routed: &Routed<'_>,
        grant: &Grant,
        now: Moment,
    ) -> Result<Rc<Minted>, Reject> {
        let upstream = match &routed.route.service {
            super::route::Serve::Upstream(index, _) => *index,
            _ => usize::MAX,
        };
        let place = self.place(grant, upstream);
        if let Some(minted) = self.minted.borrow().get(&place)
            && minted.fresh_until_s > now.unix_s()
            && minted.upstream == upstream
            && minted.project.as_ref() == grant.project()
            && minted.holder.is(grant)
        {
            return Ok(minted.clone());
        }
        let Some(holder) = Holder::of(grant) else { return Err(Reject::NoCredential) };
        let minted = Rc::new(mint(snapshot, routed, grant, holder, upstream, now)?);
        self.keep(place, minted.clone(), now);
        Ok(minted)
    }

    fn place(&self, grant: &Grant, upstream: usize) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match grant.known() {
            Known::Anonymous => {}
            Known::Key(entry) => Arc::as_ptr(entry).addr().hash(&mut hasher),
            Known::User(user) => Arc::as_ptr(user).addr().hash(&mut hasher),
        }
        upstream.hash(&mut hasher);
        grant.project().map(ProjectId::as_str).hash(&mut hasher);
        hasher.finish()
    }

    fn keep(&self, place: u64, minted: Rc<Minted>, now: Moment) {
        let mut kept = self.minted.borrow_mut();
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, minted| minted.fresh_until_s > now.unix_s());
        }
        if kept.len() >= MOST_KEPT {
            // All in use: any half is as good as the other.
            let mut turn = false;
            kept.retain(|_, _| {
                turn = !turn;
                turn
            });
        }
        kept.insert(place, minted);
    }

    /// Forgets what is over. What an older key has signed stays good: that key is still published.
    pub(super) fn sweep(&self, now: Moment) {
        self.minted.borrow_mut().retain(|_, minted| minted.fresh_until_s > now.unix_s());
    }
}

fn mint(
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    grant: &Grant,
    holder: Holder,
    upstream: usize,
    now: Moment,
) -> Result<Minted, Reject> {
    let project_value = grant.project().map(|project| header(project.as_str()));
    let iat = now.unix_s();
    let ttl = snapshot.identity.ttl.as_secs().max(1);
    let key_exp = match grant.known() {
        Known::Key(entry) => entry.record.expires_ms.map_or(u64::MAX, |ms| ms / 1000),
        _ => u64::MAX,
    };
    let exp = iat.saturating_add(ttl).min(key_exp).max(iat + 1);
    let authorization = match routed.api.config.identity {
        Identity::Jwt => Some(sign(snapshot, routed, grant, iat, exp)?),
        _ => None,
    };
    // Used for the first four fifths of its life, so that it is still good when the upstream looks at it.
    let fresh_until_s = iat + ((exp - iat) * 4).div_ceil(5);
    Ok(Minted {
        holder,
        upstream,
        project: grant.project().cloned(),
        project_value,
        authorization,
        fresh_until_s,
    })
}

fn sign(
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    grant: &Grant,
    iat: u64,
    exp: u64,
) -> Result<HeaderValue, Reject> {
    let role;
    let (sub, permissions, scopes) = match grant.known() {
        Known::Anonymous => ("", Vec::new(), Vec::new()),
        Known::Key(entry) => {
            let record = &entry.record;
            let scopes = record.scopes.iter().map(AsRef::as_ref).collect();
            (record.id.as_str(), record.permissions.iter().collect(), scopes)
        }
        Known::User(user) => {
            role = grant.membership().map(|membership| membership.role.permissions()).unwrap_or_default();
            (user.record.id.as_str(), role.iter().collect(), Vec::new())
        }
    };
    let audience = match &routed.route.service {
        super::route::Serve::Upstream(_, service) => &*service.name,
        _ => "portcullis",
    };
    let claims = IdentityClaims {
        iss: &snapshot.identity.issuer,
        aud: audience,
        sub,
        org: organization_of(grant).map(|id| id.as_str()),
        project: grant.project().map(ProjectId::as_str),
        permissions,
        scopes,
        jti: crate::token::random_id().map_err(internal)?,
        iat,
        exp,
    };
    let token = snapshot.ring.load().signer().sign(&claims).map_err(internal)?;
    HeaderValue::try_from(format!("Bearer {token}")).map_err(internal)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Reject {
    Reject::Internal(Box::new(error))
}

/// The host that the client asked for: the authority of an absolute target wins over `Host` (RFC 9112, 3.2.2). What
/// stands before an `@` is a credential and goes no further.
pub(super) fn host_of<B>(request: &http::Request<B>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => {
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            HeaderValue::from_str(host).ok()
        }
        None => request.headers().get(HOST).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_name_that_is_ours_gets_through() {
        let mut headers = HeaderMap::new();
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
            "x-gateway-anything",
            "accept",
            "x-custom",
        ] {
            headers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("1"));
        }
        headers.insert(CONNECTION, HeaderValue::from_static("close, X-Custom"));
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn any_text_fits_into_a_header() {
        assert_eq!(
            list(["read", "two words", "a,b", "อ", "50%"].into_iter()),
            "read,two%20words,a%2Cb,%E0%B8%AD,50%25"
        );
    }
}
