//! The cookies that browsers keep a session by.

use crate::control::domain::DomainError;
use crate::control::error::Refusal;
use crate::control::sessions::LoggedIn;
use crate::dialect;
use crate::token::Secret;
use crate::token::jwt::Issued;
use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Response};

/// A cookie's name, and the paths that it is sent to.
struct Cookie(&'static str, &'static str);

const ACCESS: Cookie = Cookie("access_token", "/api");
/// Shown to nobody but the endpoints that need it.
const REFRESH: Cookie = Cookie("refresh_token", "/api/auth");

/// The refresh token that a browser sends.
pub(super) fn refresh_token(headers: &HeaderMap) -> Result<Option<Secret>, DomainError> {
    let value = dialect::cookie(headers, REFRESH.0).map_err(|_| DomainError::SessionOver)?;
    Ok(value.map(Secret::from))
}

/// Has a browser keep the session.
pub(super) fn keep(response: &mut Response<Bytes>, session: &LoggedIn) -> Result<(), Refusal> {
    let of = |issued: &Issued| (issued.token.clone(), issued.expires_in);
    for (cookie, (value, life)) in [(ACCESS, of(&session.access)), (REFRESH, of(&session.refresh))] {
        set(response, &cookie, &value, life)?;
    }
    Ok(())
}

/// Has a browser forget the session.
pub(super) fn forget(response: &mut Response<Bytes>) -> Result<(), Refusal> {
    for cookie in [ACCESS, REFRESH] {
        set(response, &cookie, &Secret::from(""), 0)?;
    }
    Ok(())
}

/// `Lax`: another site's forms and scripts do not send it along (RFC 6265bis, 5.6.7).
fn set(response: &mut Response<Bytes>, cookie: &Cookie, value: &Secret, life_s: u64) -> Result<(), Refusal> {
    let Cookie(name, path) = cookie;
    let text =
        format!("{name}={}; HttpOnly; Secure; SameSite=Lax; Path={path}; Max-Age={life_s}", value.expose());
    let mut field = HeaderValue::try_from(text).map_err(|error| DomainError::Internal(Box::new(error)))?;
    field.set_sensitive(true);
    response.headers_mut().append(SET_COOKIE, field);
    Ok(())
}
