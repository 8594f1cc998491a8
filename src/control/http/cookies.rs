//! The cookies that browsers keep a session by. Those of the console are others than those of the client listeners: a host's
//! ports share its cookies, and what opens the console must open nothing at the edge, nor the other way round.

use crate::control::domain::DomainError;
use crate::control::error::Refusal;
use crate::control::sessions::LoggedIn;
use crate::dialect;
use crate::dialect::endpoint::{Call, Via};
use crate::token::Secret;
use crate::token::jwt::Issued;
use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderValue, Response};

/// The cookies of a session, as one kind of listener has them.
struct Jar {
    access: Cookie,
    /// Shown to nobody but the endpoints that need it, where its name allows for a path.
    refresh: Cookie,
    attributes: &'static str,
}

/// A cookie's name, and the paths that it is sent to.
struct Cookie(&'static str, &'static str);

/// `Lax`: another site's forms and scripts do not send it along (RFC 6265bis, 5.6.7).
static CLIENT: Jar = Jar {
    access: Cookie("access_token", "/api"),
    refresh: Cookie("refresh_token", "/api/auth"),
    attributes: "HttpOnly; Secure; SameSite=Lax",
};
/// The prefix has browsers take them over TLS from this very host only, which asks for this path (RFC 6265bis, 4.1.3.2).
static CONSOLE: Jar = Jar {
    access: Cookie("__Host-portcullis_access", "/"),
    refresh: Cookie("__Host-portcullis_refresh", "/"),
    attributes: "HttpOnly; Secure; SameSite=Strict",
};
/// Without TLS, browsers would not keep a cookie that is `Secure`; some do, on loopback.
static PLAIN_CONSOLE: Jar = Jar {
    access: Cookie("portcullis_access", "/"),
    refresh: Cookie("portcullis_refresh", "/api/auth"),
    attributes: "HttpOnly; SameSite=Strict",
};

impl Jar {
    fn of(via: Via) -> &'static Self {
        match via {
            Via::Client => &CLIENT,
            Via::Admin { tls: true } => &CONSOLE,
            Via::Admin { tls: false } => &PLAIN_CONSOLE,
        }
    }
}

/// The access token that a browser sends.
///
/// # Errors
/// [`DomainError::Unauthorized`] when there are two that differ.
pub(super) fn access_token(call: &Call) -> Result<Option<&str>, DomainError> {
    dialect::cookie(&call.headers, Jar::of(call.via).access.0).map_err(|_| DomainError::Unauthorized)
}

/// The refresh token that a browser sends.
///
/// # Errors
/// [`DomainError::SessionOver`] when there are two that differ.
pub(super) fn refresh_token(call: &Call) -> Result<Option<Secret>, DomainError> {
    let value = dialect::cookie(&call.headers, Jar::of(call.via).refresh.0);
    Ok(value.map_err(|_| DomainError::SessionOver)?.map(Secret::from))
}

/// Has a browser keep the session.
pub(super) fn keep(via: Via, response: &mut Response<Bytes>, session: &LoggedIn) -> Result<(), Refusal> {
    let of = |issued: &Issued| (issued.token.clone(), issued.expires_in);
    let jar = Jar::of(via);
    for (cookie, (value, life)) in [(&jar.access, of(&session.access)), (&jar.refresh, of(&session.refresh))]
    {
        set(response, cookie, jar.attributes, &value, life)?;
    }
    Ok(())
}

/// Has a browser forget the session.
pub(super) fn forget(via: Via, response: &mut Response<Bytes>) -> Result<(), Refusal> {
    let jar = Jar::of(via);
    for cookie in [&jar.access, &jar.refresh] {
        set(response, cookie, jar.attributes, &Secret::from(""), 0)?;
    }
    Ok(())
}

fn set(
    response: &mut Response<Bytes>,
    cookie: &Cookie,
    attributes: &str,
    value: &Secret,
    life_s: u64,
) -> Result<(), Refusal> {
    let Cookie(name, path) = cookie;
    let text = format!("{name}={}; {attributes}; Path={path}; Max-Age={life_s}", value.expose());
    let mut field = HeaderValue::try_from(text).map_err(|error| DomainError::Internal(Box::new(error)))?;
    field.set_sensitive(true);
    response.headers_mut().append(SET_COOKIE, field);
    Ok(())
}
