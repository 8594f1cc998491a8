//! Header fields that the file names: their names, and `request_headers` and `response_headers`.

use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::yaml::Key;
use crate::config::{Edits, Identity, is_reserved};
use http::{HeaderName, HeaderValue};

/// A field's name that stands as a key.
pub(super) fn name(section: &Section<'_>, key: &Key) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(key.text.as_bytes()).ok();
    if name.is_none() {
        let message = format!("`{}` is not the name of a header field", key.text.escape_debug());
        section.report_key(
            key,
            Code::InvalidValue,
            message,
            "use letters, digits and `-`, such as `X-Version`",
        );
    }
    name
}

/// Which messages are altered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Those for upstreams.
    Requests,
    /// Answers.
    Answers,
}

impl Of {
    fn key(self) -> &'static str {
        if self == Self::Requests { "request_headers" } else { "response_headers" }
    }

    /// Why a field is not to be altered; none where it is.
    fn refused(self, name: &str, removed: bool) -> Option<&'static str> {
        match name {
            "content-length" | "transfer-encoding" | "trailer" | "connection" | "keep-alive" | "upgrade"
            | "proxy-connection" | "te" | "http2-settings" | "expect" => {
                Some("it is of the connection or frames the body, which is the gateway's to say")
            }
            "host" if self == Self::Requests => Some("it is the endpoint's own, taken from `endpoints`"),
            // Credentials of the client are removed in any case; an upstream may want one of its own.
            "authorization" | "x-api-key" | "cookie" if self == Self::Requests && !removed => None,
            _ if self == Self::Requests && is_reserved(name) => Some(
                "it is the gateway's own: clients' values of it are removed, and `identity` decides what is sent",
            ),
            "x-request-id" | "ratelimit" | "ratelimit-policy" | "retry-after" | "date"
                if self == Self::Answers =>
            {
                Some("the gateway says it of each answer")
            }
            _ if self == Self::Answers && name.starts_with("x-ratelimit-") => {
                Some("the gateway says it of each answer")
            }
            _ if self == Self::Answers && name.starts_with("access-control-") => {
                Some("what pages of other origins may do is said under `cors` of the API")
            }
            _ => None,
        }
    }
}

/// The alterations under `request_headers` or `response_headers`. `identity` is the API's.
pub(super) fn edits(section: &Section<'_>, of: Of, identity: Option<Identity>) -> Option<Edits> {
    let Some(value) = section.get(of.key()) else { return Some(Edits::default()) };
    let inner = value.any_section()?;
    let set = pairs(&inner, "set", of, identity);
    let add = pairs(&inner, "add", of, identity);
    let mut removed = Some(Vec::new());
    for item in inner.items("remove") {
        match removable(&item, of) {
            Some(name) => {
                removed = removed.map(|mut names: Vec<HeaderName>| {
                    names.push(name);
                    names
                })
            }
            None => removed = None,
        }
    }
    Some(Edits { remove: removed?, set: set?, add: add? })
}

fn removable(item: &Value<'_>, of: Of) -> Option<HeaderName> {
    let text = item.non_empty()?;
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    let Some(name) = name else {
        item.report(Code::InvalidValue, format!("{} is not the name of a header field", item.shown()), None);
        return None;
    };
    if let Some(why) = of.refused(name.as_str(), true) {
        item.report(Code::InvalidValue, format!("{} can not be removed here", item.shown()), Some(why));
        return None;
    }
    Some(name)
}

fn pairs(
    inner: &Section<'_>,
    key: &str,
    of: Of,
    identity: Option<Identity>,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let Some(section) = inner.get(key) else { return Some(Vec::new()) };
    let section = section.any_section()?;
    let read: Vec<Option<(HeaderName, HeaderValue)>> = section
        .entries()
        .map(|(key, value)| {
            let name = name(&section, key)?;
            let signed = name == http::header::AUTHORIZATION && identity == Some(Identity::Jwt);
            let why = of.refused(name.as_str(), false).or((signed && of == Of::Requests).then_some(
                "it holds the signed identity; an API with `identity: headers` or `none` may set it",
            ));
            if let Some(why) = why {
                value.report(
                    Code::InvalidValue,
                    format!("`{}` can not be altered here", key.text),
                    Some(why),
                );
                return None;
            }
            Some((name, field_value(&value)?))
        })
        .collect();
    read.into_iter().collect()
}

fn field_value(value: &Value<'_>) -> Option<HeaderValue> {
    let text = value.text()?;
    match HeaderValue::from_str(text) {
        Ok(mut made) if text.trim() == text => {
            // It may be an upstream's credential.
            made.set_sensitive(true);
            Some(made)
        }
        _ => {
            let help = "visible characters and single spaces inside; no line break, nothing at its ends";
            value.report(Code::InvalidValue, "this is not the value of a header field", Some(help));
            None
        }
    }
}
