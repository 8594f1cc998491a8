//! Pages of other origins: what a preflight is told, and the fields by which a browser lets a page read an answer (Fetch,
//! 3.2). This is no protection of the API: whoever is not a browser pays no heed to it.

use super::observe::Payload;
use super::route::RoutedApi;
use crate::config::{self, AllowedHeaders, Dialect, Origins};
use crate::wire::Fields;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, Response, StatusCode};
use http_body_util::Full;

/// Fields of every answer that a page may want to read: the quota, and the id to quote.
const OURS: &str = "x-request-id, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, ratelimit, ratelimit-policy, retry-after";
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
/// What an upstream may have said, which is ours to say.
const REPLACED: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// An API's rules, with the fields that say them.
#[derive(Debug)]
pub struct Cors {
    config: config::Cors,
    methods: HeaderValue,
    /// None where a page may send what it asks for.
    headers: Option<HeaderValue>,
    expose: HeaderValue,
    max_age: HeaderValue,
}

/// What a request's `Origin` came to: the `Access-Control-Allow-Origin` of its answer, where there is one.
#[derive(Debug)]
pub(super) struct Judged(Option<HeaderValue>);

impl Cors {
    /// Prepares the rules of an API of this dialect.
    pub fn new(config: &config::Cors, dialect: Dialect) -> Self {
        let methods = if config.methods.is_empty() { &METHODS[..] } else { &config.methods[..] };
        let methods: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let headers = match &config.headers {
            AllowedHeaders::Any => None,
            AllowedHeaders::These(more) => Some(joined(usual(dialect), more)),
        };
        Self {
            methods: value(methods.join(", ")),
            headers,
            expose: joined(OURS, &config.expose),
            max_age: HeaderValue::from(config.max_age.as_secs()),
            config: config.clone(),
        }
    }

    /// Looks at where a request comes from.
    pub(super) fn judge(&self, fields: &Fields) -> Judged {
        let mut origins = fields.get_all(&ORIGIN);
        let (Some(origin), None) = (origins.next(), origins.next()) else { return Judged(None) };
        Judged(match &self.config.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::These(these) => {
                let allowed = these.iter().any(|pattern| pattern.holds(origin));
                HeaderValue::from_bytes(origin).ok().filter(|_| allowed)
            }
        })
    }

    /// The answer to a preflight. To a page that may not, it says nothing, which is a no.
    pub(super) fn preflight(&self, asking: &Fields) -> Response<Payload> {
        let mut response = Response::new(Payload::Own(Full::new(Bytes::new())));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let fields = response.headers_mut();
        fields.append(
            VARY,
            HeaderValue::from_static("access-control-request-method, access-control-request-headers"),
        );
        if self.judge(asking).0.is_none() {
            return response;
        }
        fields.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let asked = || HeaderValue::from_bytes(asking.get(&ACCESS_CONTROL_REQUEST_HEADERS)?).ok();
        if let Some(allowed) = self.headers.clone().or_else(asked) {
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        fields.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        response
    }

    /// Marks an answer: the gateway's own, whatever it says, and an upstream's in place of what that said.
    pub(super) fn mark(&self, judged: &Judged, fields: &mut HeaderMap, preflight: bool) {
        if !preflight {
            for name in &REPLACED {
                fields.remove(name);
            }
        }
        // To a cache: the same request of another page has another answer. Said whoever asks.
        if self.config.origins != Origins::Any {
            fields.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = &judged.0 else { return };
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.config.credentials {
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if !preflight {
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.expose.clone());
        }
    }
}

/// What a request's `Origin` comes to, where its API has rules.
pub(super) fn judged(api: &RoutedApi, fields: &Fields) -> Option<Judged> {
    api.cors.as_ref().map(|cors| cors.judge(fields))
}

impl Judged {
    /// Whether a page there may read the answer.
    pub(super) fn allowed(&self) -> bool {
        self.0.is_some()
    }
}

/// What clients of a dialect have to send.
fn usual(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ocriva | Dialect::Problem => "authorization, content-type, x-api-key",
        Dialect::Ocore => "authorization, content-type, x-org-slug",
    }
}

fn joined(first: &str, more: &[HeaderName]) -> HeaderValue {
    let more = more.iter().map(HeaderName::as_str);
    value(std::iter::once(first).chain(more).collect::<Vec<_>>().join(", "))
}

fn value(text: String) -> HeaderValue {
    // Names of methods and fields: always valid.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
