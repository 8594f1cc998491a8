//! The endpoints of the `ocore` dialect (CONTRACT B).

use super::{Endpoint, Operation as Any};
use http::Method;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// E-mail address and password for a session.
    LogIn,
    /// The second step of a login that takes one.
    LogInWithCode,
    /// A refresh token for its successor.
    Refresh,
    /// Ends the session.
    LogOut,
    /// Asks for a token to choose a password by.
    ForgotPassword,
    /// Chooses a password by a token.
    ResetPassword,
    /// Makes an account.
    SignUp,
    /// Joins an organization.
    AcceptInvitation,
    /// Lists the members of an organization.
    ListMembers,
    /// Gives a member another role.
    ChangeRole,
    /// Takes a member out of an organization.
    RemoveMember,
    /// Takes who asks out of an organization.
    Leave,
    /// Lists an organization's roles, the built-in ones first.
    ListRoles,
    /// Makes a role.
    CreateRole,
    /// Alters a role.
    UpdateRole,
    /// Removes a role.
    DeleteRole,
    /// Lists the permissions that there are.
    ListPermissions,
    /// Makes an invitation.
    Invite,
    /// Lists the invitations that are good.
    ListInvitations,
    /// Takes an invitation back.
    RevokeInvitation,
    /// Who asks, and where they belong.
    ShowMe,
    /// Chooses another password.
    ChangePassword,
    /// Lists the sessions of who asks.
    ListSessions,
    /// Ends every other session of who asks.
    RevokeSessions,
    /// Ends a session of who asks.
    RevokeSession,
    /// Shares a secret with an authenticator.
    BeginTotp,
    /// Has logins ask for its codes.
    EnableTotp,
    /// New recovery codes.
    RenewRecoveryCodes,
    /// Has logins ask for the password alone.
    DisableTotp,
    /// Lists an organization's keys.
    ListApiKeys,
    /// Makes a key.
    CreateApiKey,
    /// Shows one key.
    ShowApiKey,
    /// How one key was used, hour by hour.
    ShowApiKeyUsage,
    /// Alters one key; its value stays.
    UpdateApiKey,
    /// Removes a key.
    DeleteApiKey,
    /// Lists the keys of every organization.
    ListAllApiKeys,
    /// Removes a key of whatever organization.
    DeleteAnyApiKey,
    /// Lists the organizations that who asks belongs to.
    ListOwnOrganizations,
    /// Makes an organization.
    CreateOrganization,
    /// Shows an organization.
    ShowOrganization,
    /// Alters an organization.
    UpdateOrganization,
    /// Lists an organization's projects.
    ListProjects,
    /// Makes a project.
    CreateProject,
    /// Shows one project.
    ShowProject,
    /// Alters one project.
    UpdateProject,
    /// Removes a project.
    DeleteProject,
    /// Lists every organization.
    ListAllOrganizations,
    /// Lists everybody.
    ListPeople,
    /// Makes a person.
    CreatePerson,
    /// Shows one person.
    ShowPerson,
    /// Alters one person.
    UpdatePerson,
    /// Removes a person.
    DeletePerson,
    /// Gives out a token by which a person chooses a new password.
    IssuePasswordReset,
}

impl Operation {
    /// Whether it is for who is not logged in (any more).
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::LogIn
                | Self::LogInWithCode
                | Self::Refresh
                | Self::LogOut
                | Self::ForgotPassword
                | Self::ResetPassword
                | Self::SignUp
        )
    }
}

const fn at(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    super::ocore(method, path, Any::Ocore(operation))
}

const fn inside(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    super::inside(method, path, Any::Ocore(operation))
}

const SESSIONS: &str = "/api/auth/sessions";
const ROLE: &str = "/api/roles/{roleId}";
const INVITATIONS: &str = "/api/invite-links";
const API_KEYS: &str = "/api/api-keys";
const ORGANIZATION: &str = "/api/org";
const PROJECTS: &str = "/api/projects";
const PROJECT: &str = "/api/projects/{projectId}";
const PEOPLE: &str = "/api/admin/users";
const PERSON: &str = "/api/admin/users/{userId}";
const API_KEY: &str = "/api/api-keys/{keyId}";
const API_KEY_USAGE: &str = "/api/api-keys/{keyId}/usage";

/// The endpoints.
pub static ENDPOINTS: [Endpoint; 56] = [
    at(Method::POST, "/api/auth/login", Operation::LogIn),
    at(Method::POST, "/api/auth/login/2fa", Operation::LogInWithCode),
    at(Method::POST, "/api/auth/refresh", Operation::Refresh),
    at(Method::POST, "/api/auth/logout", Operation::LogOut),
    at(Method::POST, "/api/auth/forgot-password", Operation::ForgotPassword),
    at(Method::POST, "/api/auth/reset-password", Operation::ResetPassword),
    at(Method::POST, "/api/auth/signup", Operation::SignUp),
    at(Method::POST, "/api/auth/invitations/accept", Operation::AcceptInvitation),
    at(Method::GET, "/api/auth/me", Operation::ShowMe),
    at(Method::POST, "/api/auth/change-password", Operation::ChangePassword),
    at(Method::GET, SESSIONS, Operation::ListSessions),
    at(Method::DELETE, SESSIONS, Operation::RevokeSessions),
    at(Method::DELETE, "/api/auth/sessions/{sessionId}", Operation::RevokeSession),
    at(Method::POST, "/api/auth/totp/setup", Operation::BeginTotp),
    at(Method::POST, "/api/auth/totp/enable", Operation::EnableTotp),
    at(Method::POST, "/api/auth/totp/recovery-codes", Operation::RenewRecoveryCodes),
    at(Method::POST, "/api/auth/totp/disable", Operation::DisableTotp),
    at(Method::GET, API_KEYS, Operation::ListApiKeys),
    at(Method::POST, API_KEYS, Operation::CreateApiKey),
    at(Method::GET, API_KEY, Operation::ShowApiKey),
    at(Method::GET, API_KEY_USAGE, Operation::ShowApiKeyUsage),
    at(Method::PATCH, API_KEY, Operation::UpdateApiKey),
    at(Method::PUT, API_KEY, Operation::UpdateApiKey),
    at(Method::DELETE, API_KEY, Operation::DeleteApiKey),
    at(Method::GET, "/api/admin/api-keys", Operation::ListAllApiKeys),
    at(Method::DELETE, "/api/admin/api-keys/{keyId}", Operation::DeleteAnyApiKey),
    inside(Method::GET, "/api/members", Operation::ListMembers),
    inside(Method::POST, "/api/members/leave", Operation::Leave),
    inside(Method::PATCH, "/api/members/{memberId}/role", Operation::ChangeRole),
    inside(Method::PUT, "/api/members/{memberId}/role", Operation::ChangeRole),
    inside(Method::DELETE, "/api/members/{memberId}", Operation::RemoveMember),
    inside(Method::GET, "/api/roles", Operation::ListRoles),
    inside(Method::POST, "/api/roles", Operation::CreateRole),
    inside(Method::PATCH, ROLE, Operation::UpdateRole),
    inside(Method::PUT, ROLE, Operation::UpdateRole),
    inside(Method::DELETE, ROLE, Operation::DeleteRole),
    inside(Method::GET, "/api/permissions", Operation::ListPermissions),
    inside(Method::GET, INVITATIONS, Operation::ListInvitations),
    inside(Method::POST, INVITATIONS, Operation::Invite),
    inside(Method::DELETE, "/api/invite-links/{invitationId}", Operation::RevokeInvitation),
    inside(Method::GET, "/api/user/orgs", Operation::ListOwnOrganizations),
    inside(Method::POST, ORGANIZATION, Operation::CreateOrganization),
    inside(Method::GET, ORGANIZATION, Operation::ShowOrganization),
    inside(Method::PATCH, ORGANIZATION, Operation::UpdateOrganization),
    inside(Method::GET, PROJECTS, Operation::ListProjects),
    inside(Method::POST, PROJECTS, Operation::CreateProject),
    inside(Method::GET, PROJECT, Operation::ShowProject),
    inside(Method::PATCH, PROJECT, Operation::UpdateProject),
    inside(Method::DELETE, PROJECT, Operation::DeleteProject),
    inside(Method::GET, "/api/admin/organizations", Operation::ListAllOrganizations),
    inside(Method::GET, PEOPLE, Operation::ListPeople),
    inside(Method::POST, PEOPLE, Operation::CreatePerson),
    inside(Method::GET, PERSON, Operation::ShowPerson),
    inside(Method::PATCH, PERSON, Operation::UpdatePerson),
    inside(Method::DELETE, PERSON, Operation::DeletePerson),
    inside(Method::POST, "/api/admin/users/{userId}/password-reset", Operation::IssuePasswordReset),
];
