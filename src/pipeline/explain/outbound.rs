//! The request as an upstream would get it, told without its secrets.

use super::super::Snapshot;
use super::super::swap::{Outbound, is_ours};
use super::report::{Facts, Forwarded};
use crate::config::{Endpoint, Scheme};
use crate::upstream::Service;
use crate::wire::Fields;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeSet;

/// Tells what leaves for an upstream; `client` is what came.
pub(super) fn describe(
    snapshot: &Snapshot,
    service: &Service,
    outbound: Outbound,
    client: &Fields,
) -> Forwarded {
    let head = outbound.head();
    let fields = head.fields();
    let overlay = head.overlay.as_deref();
    let altered = |name: &HeaderName| overlay.is_some_and(|overlay| overlay.fields().contains_key(name));
    let (ours, kept): (Vec<&HeaderName>, Vec<&HeaderName>) =
        fields.keys().partition(|name| is_ours(name.as_str()) || altered(name));
    let kept: Vec<String> = kept.into_iter().map(HeaderName::to_string).collect();
    let came: BTreeSet<String> = client.iter().map(|(name, _)| name.to_string()).collect();
    let removed = came.into_iter().filter(|name| !kept.contains(name)).collect();
    Forwarded {
        upstream: service.name.to_string(),
        endpoints: service.targets().iter().map(|target| endpoint(target.endpoint())).collect(),
        balance: service.balance().name().to_owned(),
        method: head.method.to_string(),
        target: head.target.to_string(),
        set: set(snapshot, service, &ours, &fields, &altered),
        kept,
        removed,
    }
}

fn set(
    snapshot: &Snapshot,
    service: &Service,
    names: &[&HeaderName],
    fields: &HeaderMap,
    altered: &dyn Fn(&HeaderName) -> bool,
) -> Facts {
    let mut set = Facts::new();
    set.insert("host".to_owned(), "the endpoint's own".into());
    for name in names {
        let value = match (*name, name.as_str()) {
            // Any field may hold a credential for the upstream; all that are configured are marked as such.
            (name, _) if altered(name) && fields.get_all(name).iter().any(HeaderValue::is_sensitive) => {
                "as the configuration says, not shown".to_owned()
            }
            (&AUTHORIZATION, _) => format!(
                "Bearer, a JWT signed for this request (iss {}, aud {}, at most {} s)",
                snapshot.identity.issuer,
                service.name,
                snapshot.identity.ttl.as_secs().max(1)
            ),
            (_, "x-request-id" | "traceparent") => "made for each request".to_owned(),
            _ => text(fields.get(*name)),
        };
        set.insert(name.to_string(), value.into());
    }
    set
}

fn text(value: Option<&HeaderValue>) -> String {
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

fn endpoint(endpoint: &Endpoint) -> String {
    let scheme = match endpoint.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
        Scheme::H2c => "h2c",
    };
    match endpoint.host.contains(':') {
        true => format!("{scheme}://[{}]:{}", endpoint.host, endpoint.port),
        false => format!("{scheme}://{}:{}", endpoint.host, endpoint.port),
    }
}
