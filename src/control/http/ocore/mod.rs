//! The `ocore` dialect's endpoints (CONTRACT B).

mod auth;
mod cookies;

use super::{Api, Request};
use crate::control::domain::By;
use crate::control::error::Refusal;
use crate::dialect::endpoint::ocore::Operation;
use crate::token::UserId;
use bytes::Bytes;
use http::Response;

type Outcome = Result<Response<Bytes>, Refusal>;

/// Answers a call of an endpoint that nobody has to be logged in for. Credentials in header fields are not looked at:
/// one that is old must not be in the way of a new one.
pub(super) async fn open(
    api: &Api,
    request: &Request<'_>,
    operation: Operation,
    user: &mut Option<UserId>,
) -> Outcome {
    match operation {
        Operation::LogIn => auth::log_in(api, request, user).await,
        Operation::Refresh => auth::refresh(api, request, user).await,
        Operation::LogOut => auth::log_out(api, request).await,
    }
}

/// Answers a call by somebody.
pub(super) async fn answer(_api: &Api, _request: &Request<'_>, operation: Operation, _by: &By) -> Outcome {
    match operation {
        // Answered by `open`.
        Operation::LogIn | Operation::Refresh | Operation::LogOut => Err(Refusal::Nothing),
    }
}
