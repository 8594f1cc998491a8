//! Answers to what is not done, in the caller's dialect.

use super::domain::DomainError;
use crate::config::Dialect;
use crate::dialect::{self, Fault, Rendered};
use crate::telemetry::log::chain;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use std::time::Duration;

/// Why a call is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The operation was not done.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The body is not JSON, or not said to be.
    #[error("the body is not said to be JSON")]
    MediaType,
    /// The body or the query does not read.
    #[error("{0}")]
    Malformed(&'static str),
    /// The body is too large, or did not come.
    #[error("{1}")]
    Body(StatusCode, &'static str),
    /// There is nothing at this path.
    #[error("there is nothing at this path")]
    Nothing,
    /// The path has other methods.
    #[error("the path has other methods")]
    Method(Vec<Method>),
}

const UNAUTHORIZED: &str = "Log in first: the access token is missing, invalid or expired.";
const WRONG_PASSWORD: &str = "The e-mail address or the password is wrong.";
const SESSION_OVER: &str = "The session is over: log in again.";
const WRONG_CODE: &str =
    "The code is wrong, or the partial token is wrong or over. Log in again for a new one.";
const WRONG_TOKEN: &str = "The token is wrong, was used already, or is over. Ask for a new one.";
const MEDIA_TYPE: &str = "Send the body as JSON in UTF-8, with Content-Type: application/json.";
const METHOD: &str = "This path does not have this method. The Allow header lists those it has.";
const NOTHING: &str = "There is nothing at this path. Check the path and its upper and lower case.";
const STORE: &str = "The gateway's database did not answer. Please try again shortly.";
const UNCONFIRMED: &str =
    "The change is stored, but the gateway can not confirm yet that it is in force. Look again shortly.";
const INTERNAL: &str = "Something went wrong here. Quote the X-Request-Id of this answer when you report it.";

impl Refusal {
    /// A short name for the log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Domain(error) => error.code(),
            Self::MediaType => "unsupported_media_type",
            Self::Malformed(_) => "bad_body",
            Self::Body(..) => "body",
            Self::Nothing => "no_route",
            Self::Method(_) => "method_not_allowed",
        }
    }

    /// The answer. A cause that is ours goes to the log, under the request's id.
    pub fn answer(&self, dialect: Dialect, request_id: &str) -> Response<Bytes> {
        let Rendered { content_type, body } = self.rendered(dialect);
        let mut response = Response::new(body);
        *response.status_mut() = self.status(dialect);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Domain(_) if self.status(dialect) == StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Domain(DomainError::TooManyAttempts(wait)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(*wait)));
            }
            Self::Method(methods) => {
                headers.insert(ALLOW, allow(methods));
            }
            _ => {}
        }
        if self.status(dialect).is_server_error() {
            tracing::error!(request_id, code = self.code(), cause = %chain(self), "a control request failed");
        }
        response
    }

    fn rendered(&self, dialect: Dialect) -> Rendered {
        let status = self.status(dialect);
        if let Self::Domain(DomainError::Invalid(violations)) = self {
            let faults: Vec<Fault<'_>> = violations
                .iter()
                .map(|it| Fault { status, message: &it.message, field: Some((&it.field, it.constraint)) })
                .collect();
            return dialect::render_all(dialect, &faults);
        }
        dialect::render(dialect, &Fault { status, message: &self.message(), field: self.field() })
    }

    /// What of the request is to blame, where it is not one of the body's members.
    fn field(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::MediaType => Some(("Content-Type", "supported")),
            Self::Malformed(_) => Some(("body", "well-formed")),
            Self::Domain(_) | Self::Body(..) | Self::Nothing | Self::Method(_) => None,
        }
    }

    /// The status that it is answered with.
    pub fn status(&self, dialect: Dialect) -> StatusCode {
        match self {
            Self::Domain(error) => match error {
                DomainError::Unauthorized
                | DomainError::WrongPassword
                | DomainError::SessionOver
                | DomainError::WrongCode
                | DomainError::WrongToken => StatusCode::UNAUTHORIZED,
                DomainError::NotFound(_) => StatusCode::NOT_FOUND,
                DomainError::Forbidden(_) => StatusCode::FORBIDDEN,
                DomainError::Conflict(_) => StatusCode::CONFLICT,
                DomainError::Invalid(_) => StatusCode::BAD_REQUEST,
                DomainError::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
                DomainError::Unconfirmed(_) | DomainError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
                DomainError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            // oCore's clients know one status for all that is wrong with a request.
            Self::MediaType if dialect == Dialect::Ocore => StatusCode::BAD_REQUEST,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Body(status, _) => *status,
            Self::Nothing => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// What whoever asked is told, where it is one thing.
    pub fn message(&self) -> String {
        match self {
            Self::Domain(error) => match error {
                DomainError::Unauthorized => UNAUTHORIZED.to_owned(),
                DomainError::WrongPassword => WRONG_PASSWORD.to_owned(),
                DomainError::SessionOver => SESSION_OVER.to_owned(),
                DomainError::WrongCode => WRONG_CODE.to_owned(),
                DomainError::WrongToken => WRONG_TOKEN.to_owned(),
                DomainError::NotFound(what) => format!("There is no such {what} here."),
                DomainError::TooManyAttempts(_) => "Too many requests. Please slow down.".to_owned(),
                DomainError::Store(_) => STORE.to_owned(),
                DomainError::Unconfirmed(_) => UNCONFIRMED.to_owned(),
                DomainError::Internal(_) => INTERNAL.to_owned(),
                DomainError::Forbidden(_) | DomainError::Conflict(_) | DomainError::Invalid(_) => {
                    error.to_string()
                }
            },
            Self::MediaType => MEDIA_TYPE.to_owned(),
            Self::Malformed(why) | Self::Body(_, why) => (*why).to_owned(),
            Self::Nothing => NOTHING.to_owned(),
            Self::Method(_) => METHOD.to_owned(),
        }
    }
}

/// Rounded up, so that who waits that long is let in.
fn whole_seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

fn allow(methods: &[Method]) -> HeaderValue {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.sort_unstable();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
