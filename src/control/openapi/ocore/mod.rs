//! The endpoints of the `ocore` dialect, described.

mod account;
mod directory;
mod organization;

use super::description::*;
use super::shape::*;
use crate::dialect::endpoint::ocore::Operation;

/// How an operation is described. No wildcard: an endpoint without a description does not compile.
pub(super) fn of(operation: Operation) -> &'static Description {
    match operation {
        Operation::LogIn => &account::LOG_IN,
        Operation::LogInWithCode => &account::LOG_IN_WITH_CODE,
        Operation::Refresh => &account::REFRESH,
        Operation::LogOut => &account::LOG_OUT,
        Operation::ForgotPassword => &account::FORGOT_PASSWORD,
        Operation::ResetPassword => &account::RESET_PASSWORD,
        Operation::SignUp => &account::SIGN_UP,
        Operation::AcceptInvitation => &account::ACCEPT_INVITATION,
        Operation::ShowMe => &account::SHOW_ME,
        Operation::ChangePassword => &account::CHANGE_PASSWORD,
        Operation::ListSessions => &account::LIST_SESSIONS,
        Operation::RevokeSessions => &account::REVOKE_SESSIONS,
        Operation::RevokeSession => &account::REVOKE_SESSION,
        Operation::BeginTotp => &account::BEGIN_TOTP,
        Operation::EnableTotp => &account::ENABLE_TOTP,
        Operation::RenewRecoveryCodes => &account::RENEW_RECOVERY_CODES,
        Operation::DisableTotp => &account::DISABLE_TOTP,
        Operation::ListApiKeys => &organization::LIST_API_KEYS,
        Operation::CreateApiKey => &organization::CREATE_API_KEY,
        Operation::ShowApiKey => &organization::SHOW_API_KEY,
        Operation::ShowApiKeyUsage => &organization::SHOW_API_KEY_USAGE,
        Operation::UpdateApiKey => &organization::UPDATE_API_KEY,
        Operation::DeleteApiKey => &organization::DELETE_API_KEY,
        Operation::ListAllApiKeys => &organization::LIST_ALL_API_KEYS,
        Operation::DeleteAnyApiKey => &organization::DELETE_ANY_API_KEY,
        Operation::ListMembers => &organization::LIST_MEMBERS,
        Operation::ChangeRole => &organization::CHANGE_ROLE,
        Operation::RemoveMember => &organization::REMOVE_MEMBER,
        Operation::Leave => &organization::LEAVE,
        Operation::ListRoles => &organization::LIST_ROLES,
        Operation::CreateRole => &organization::CREATE_ROLE,
        Operation::UpdateRole => &organization::UPDATE_ROLE,
        Operation::DeleteRole => &organization::DELETE_ROLE,
        Operation::ListPermissions => &organization::LIST_PERMISSIONS,
        Operation::Invite => &organization::INVITE,
        Operation::ListInvitations => &organization::LIST_INVITATIONS,
        Operation::RevokeInvitation => &organization::REVOKE_INVITATION,
        Operation::ListOwnOrganizations => &directory::LIST_OWN_ORGANIZATIONS,
        Operation::CreateOrganization => &directory::CREATE_ORGANIZATION,
        Operation::ShowOrganization => &directory::SHOW_ORGANIZATION,
        Operation::UpdateOrganization => &directory::UPDATE_ORGANIZATION,
        Operation::ListProjects => &directory::LIST_PROJECTS,
        Operation::CreateProject => &directory::CREATE_PROJECT,
        Operation::ShowProject => &directory::SHOW_PROJECT,
        Operation::UpdateProject => &directory::UPDATE_PROJECT,
        Operation::DeleteProject => &directory::DELETE_PROJECT,
        Operation::ListAllOrganizations => &directory::LIST_ALL_ORGANIZATIONS,
        Operation::ListPeople => &directory::LIST_PEOPLE,
        Operation::CreatePerson => &directory::CREATE_PERSON,
        Operation::ShowPerson => &directory::SHOW_PERSON,
        Operation::UpdatePerson => &directory::UPDATE_PERSON,
        Operation::DeletePerson => &directory::DELETE_PERSON,
        Operation::IssuePasswordReset => &directory::ISSUE_PASSWORD_RESET,
    }
}

const CURSOR: Parameter = parameter(
    "cursor",
    Shape::Text(0, ANY, Format::Cursor),
    "`next_cursor` of the part before, as it was given.",
);
const LIMIT: Parameter = parameter(
    "limit",
    Shape::Whole(1, None),
    "How many at most: 20 where nothing is said, at most 100; more is taken for 100.",
);

const DONE: &str = "Done.";

/// The answer of what has nothing else to say.
const fn done() -> Answer {
    answer(200, "Message", DONE)
}
