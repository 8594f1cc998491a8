//! Which upstream a request goes to, what is altered on the way, and who gets a copy, in words.

use super::super::authenticate::Known;
use super::super::route::Routed;
use super::super::split::{Part, Split};
use super::report::Way;
use crate::config::Rewrite;
use crate::upstream::Head;
use http::HeaderName;

/// One of several upstreams, and why it.
pub(super) fn of<'s>(split: &'s Split, known: &Known) -> (&'s Part, String) {
    let shares: Vec<String> = split
        .parts
        .iter()
        .map(|part| format!("{} {} of {}", part.service.name, part.weight, split.total))
        .collect();
    let shares = shares.join(", ");
    match split.key(known) {
        Some(key) => {
            let part = split.at(key);
            (
                part,
                format!("the upstream {} gets it, as all requests of this key ({shares})", part.service.name),
            )
        }
        None => {
            // The likeliest one stands for all.
            let likeliest = split.parts.iter().max_by_key(|part| part.weight).unwrap_or(split.at(0));
            let drawn = format!("one of the upstreams is drawn for each request: {shares}");
            (likeliest, format!("{drawn}; shown is {}", likeliest.service.name))
        }
    }
}

/// What is altered, and who gets a copy.
pub(super) fn facts(way: &mut Way, routed: &Routed<'_>, head: &Head) {
    let route = routed.route;
    match &route.config.rewrite {
        Some(Rewrite::Strip(prefix)) => {
            way.fact("rewrite", format!("{} without {prefix}: {}", route.config.path, path_of(&head.target)));
        }
        Some(Rewrite::Path(_)) => {
            way.fact("rewrite", format!("{} to {}", route.config.path, path_of(&head.target)))
        }
        None => {}
    }
    if let Some(timeout) = route.config.timeout {
        way.fact("timeout", format!("{timeout:?}, the route's own"));
    }
    if let Some(mirror) = &route.mirror {
        let share = mirror.share as f64 / 10_000.0;
        let name = &mirror.service.name;
        way.fact(
            "mirror",
            format!("{name} gets a copy of {share}% of the requests, with X-Portcullis-Mirror: 1"),
        );
    }
    if let Some(overlay) = route.request_headers.as_ref().filter(|overlay| overlay.alters()) {
        way.fact("request_headers", altered(overlay));
    }
    if let Some(overlay) = &route.response_headers {
        way.fact("response_headers", altered(overlay));
    }
}

/// The names of what is altered, the API's and the route's together.
fn altered(overlay: &crate::upstream::Overlay) -> String {
    let comes = |name: &HeaderName| overlay.fields().contains_key(name);
    let of = |what: &str, names: Vec<&HeaderName>| {
        let names: Vec<&str> = names.into_iter().map(HeaderName::as_str).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let (set, removed): (Vec<&HeaderName>, Vec<&HeaderName>) =
        overlay.hidden().iter().partition(|name| comes(name));
    let added = overlay.fields().keys().filter(|name| !overlay.hidden().contains(name)).collect();
    let all = [of("set", set), of("added", added), of("removed", removed)];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A request target's path.
fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}
