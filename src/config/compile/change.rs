//! `rewrite` and `redirect` of a route.

use super::{hosts, or, path};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::{HostPattern, Origin, Piece, Redirect, Rewrite, Segment, Template};
use http::StatusCode;
use std::sync::Arc;

/// `rewrite: { strip_prefix: /v1 }` or `{ path: /internal/{id}/** }`.
pub(super) fn rewrite(value: &Value<'_>, pattern: Option<&[Segment]>) -> Option<Rewrite> {
    let section = value.any_section()?;
    match (section.get("strip_prefix"), section.get("path")) {
        (Some(prefix), None) => strip(&prefix, pattern),
        (None, Some(path)) => template(&path, path.non_empty()?, pattern).map(Rewrite::Path),
        (None, None) => {
            value.report(Code::MissingKey, "nothing is rewritten", Some("name `strip_prefix` or `path`"));
            None
        }
        (Some(_), Some(path)) => {
            let help = "keep one of the two: `path` says all of the new path";
            path.report(Code::Conflict, "this rewrites what `strip_prefix` rewrites", Some(help));
            None
        }
    }
}

fn strip(value: &Value<'_>, pattern: Option<&[Segment]>) -> Option<Rewrite> {
    let prefix = path::prefix(value)?;
    if &*prefix == "/" {
        value.report(Code::InvalidValue, "`/` strips nothing", Some("name a segment, or remove `rewrite`"));
        return None;
    }
    if pattern.is_some_and(|pattern| !path::is_under(pattern, &prefix)) {
        let message = format!("the route's path does not begin with {}", value.shown());
        value.report(Code::Conflict, message, Some("name literal segments that the path begins with"));
        return None;
    }
    Some(Rewrite::Strip(prefix))
}

/// A path whose parameters are those of a pattern.
fn template(value: &Value<'_>, text: &str, pattern: Option<&[Segment]>) -> Option<Template> {
    let target = path::pattern_of(value, text)?;
    let pattern = pattern?;
    let piece = |segment: &Segment| match segment {
        Segment::Literal(text) => Some(Piece::Literal(text.clone())),
        Segment::Parameter(name) => {
            let at = pattern.iter().position(|segment| *segment == Segment::Parameter(name.clone()));
            if at.is_none() {
                let message = format!("the route's path has no parameter `{{{name}}}`");
                value.report(
                    Code::UnknownReference,
                    message,
                    Some("name one that it has, or write a literal"),
                );
            }
            at.map(Piece::Segment)
        }
        Segment::Rest => {
            let at = pattern.iter().position(|segment| *segment == Segment::Rest);
            if at.is_none() {
                let message = "the route's path has no `**` whose rest could stand here";
                value.report(Code::UnknownReference, message, Some("end the route's path with `**` too"));
            }
            at.map(Piece::Rest)
        }
    };
    let pieces: Vec<Option<Piece>> = target.iter().map(piece).collect();
    Some(Template(pieces.into_iter().collect::<Option<_>>()?))
}

/// `redirect: { to: …, status: 308 }`. `served_on` are the hosts of the route, or of its API.
pub(super) fn redirect(
    value: &Value<'_>,
    pattern: Option<&[Segment]>,
    served_on: &[HostPattern],
) -> Option<Redirect> {
    let section = value.any_section()?;
    let status = or(&section, "status", status, || StatusCode::PERMANENT_REDIRECT);
    let to = section.required("to")?;
    let text = to.non_empty()?;
    let (origin, path) = match text.split_once("://") {
        None => (Some(Origin::Same), text),
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let path = if end == rest.len() { "/" } else { &rest[end..] };
            (origin(&to, scheme, &rest[..end], served_on), path)
        }
    };
    let path = template(&to, path, pattern);
    Some(Redirect { origin: origin?, path: path?, status: status? })
}

fn status(value: &Value<'_>) -> Option<StatusCode> {
    let code = value.integer(300, 399)?;
    let known = matches!(code, 301 | 302 | 303 | 307 | 308);
    if !known {
        let help = "301 and 308 are for good, 302, 303 and 307 for now; 307 and 308 keep the method";
        value.report(Code::InvalidValue, format!("{code} sends nobody elsewhere"), Some(help));
    }
    u16::try_from(code).ok().filter(|_| known).and_then(|code| StatusCode::from_u16(code).ok())
}

fn origin(to: &Value<'_>, scheme: &str, authority: &str, served_on: &[HostPattern]) -> Option<Origin> {
    let scheme = match scheme {
        "http" => "http",
        "https" => "https",
        _ => {
            to.report(Code::InvalidValue, "a redirect leads to http or https", Some("write `https://…`"));
            return None;
        }
    };
    if authority == "{host}" {
        if served_on.is_empty() {
            // Else whoever makes up a Host header would decide where it leads.
            let help =
                "name `hosts` in the route or its API, so that only these can stand here; or write the host";
            to.report(Code::Conflict, "`{host}` is any host that a request names", Some(help));
            return None;
        }
        return Some(Origin::Asked(scheme));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        to.report(Code::InvalidValue, "this has no port that could be connected to", None);
        return None;
    }
    let host = hosts::literal(to, host)?;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(Origin::Fixed(Arc::from(format!("{scheme}://{host}{port}"))))
}
