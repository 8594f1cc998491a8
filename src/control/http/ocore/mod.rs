//! The `ocore` dialect's endpoints (CONTRACT B).

mod account;
mod api_keys;
mod auth;
mod invitations;
mod members;
mod organizations;
mod people;
mod place;
mod projects;
mod roles;
mod totp;

use super::{Api, Outcome, Request, history};
use crate::control::domain::By;
use crate::control::error::Refusal;
use crate::dialect::endpoint::ocore::Operation;
use crate::token::UserId;

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
        Operation::LogInWithCode => auth::second_step(api, request, user).await,
        Operation::Refresh => auth::refresh(api, request, user).await,
        Operation::LogOut => auth::log_out(api, request).await,
        Operation::ForgotPassword => account::forgot_password(api, request),
        Operation::ResetPassword => account::reset_password(api, request).await,
        Operation::SignUp => invitations::sign_up(api, request, user).await,
        // Asked of somebody.
        _ => Err(Refusal::Nothing),
    }
}

/// Answers a call by somebody, or by the operator at a terminal. A key may do nothing here: one that leaked must not be able to make others.
pub(super) async fn answer(api: &Api, request: &Request<'_>, operation: Operation, by: &By) -> Outcome {
    by.not_a_key()?;
    match operation {
        Operation::ListApiKeys => api_keys::list(api, request, by).await,
        Operation::CreateApiKey => api_keys::create(api, request, by).await,
        Operation::ShowApiKey => api_keys::show(api, request, by).await,
        Operation::ShowApiKeyUsage => history::of_api_key(api, request, by).await,
        Operation::UpdateApiKey => api_keys::update(api, request, by).await,
        Operation::DeleteApiKey => api_keys::delete(api, request, by).await,
        Operation::ListAllApiKeys => api_keys::list_all(api, request, by).await,
        Operation::DeleteAnyApiKey => api_keys::delete_any(api, request, by).await,
        Operation::AcceptInvitation => invitations::accept(api, request, by).await,
        Operation::ListMembers => members::list(api, request, by).await,
        Operation::ChangeRole => members::change_role(api, request, by).await,
        Operation::RemoveMember => members::remove(api, request, by).await,
        Operation::Leave => members::leave(api, request, by).await,
        Operation::ListRoles => roles::list(api, request, by).await,
        Operation::CreateRole => roles::create(api, request, by).await,
        Operation::UpdateRole => roles::update(api, request, by).await,
        Operation::DeleteRole => roles::delete(api, request, by).await,
        Operation::ListPermissions => roles::permissions(api),
        Operation::Invite => invitations::create(api, request, by).await,
        Operation::ListInvitations => invitations::list(api, request, by).await,
        Operation::RevokeInvitation => invitations::revoke(api, request, by).await,
        Operation::ShowMe => account::me(api, by).await,
        Operation::ChangePassword => account::change_password(api, request, by).await,
        Operation::ListSessions => account::sessions(api, by).await,
        Operation::RevokeSessions => account::revoke_others(api, by).await,
        Operation::RevokeSession => account::revoke(api, request, by).await,
        Operation::BeginTotp => totp::begin(api, request, by).await,
        Operation::EnableTotp => totp::enable(api, request, by).await,
        Operation::RenewRecoveryCodes => totp::renew(api, request, by).await,
        Operation::DisableTotp => totp::disable(api, request, by).await,
        Operation::ListOwnOrganizations => organizations::list_own(api, request, by).await,
        Operation::CreateOrganization => organizations::create(api, request, by).await,
        Operation::ShowOrganization => organizations::show(api, request, by).await,
        Operation::UpdateOrganization => organizations::update(api, request, by).await,
        Operation::ListAllOrganizations => organizations::list_all(api, request, by).await,
        Operation::ListProjects => projects::list(api, request, by).await,
        Operation::CreateProject => projects::create(api, request, by).await,
        Operation::ShowProject => projects::show(api, request, by).await,
        Operation::UpdateProject => projects::update(api, request, by).await,
        Operation::DeleteProject => projects::delete(api, request, by).await,
        Operation::ListPeople => people::list(api, request, by).await,
        Operation::CreatePerson => people::create(api, request, by).await,
        Operation::ShowPerson => people::show(api, request, by).await,
        Operation::UpdatePerson => people::update(api, request, by).await,
        Operation::DeletePerson => people::delete(api, request, by).await,
        Operation::IssuePasswordReset => people::issue_password_reset(api, request, by).await,
        // Answered by `open`.
        Operation::LogIn
        | Operation::LogInWithCode
        | Operation::Refresh
        | Operation::LogOut
        | Operation::ForgotPassword
        | Operation::ResetPassword
        | Operation::SignUp => Err(Refusal::Nothing),
    }
}
