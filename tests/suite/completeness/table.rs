//! What each endpoint of the control API takes. An operation without a row does not compile.

use portcullis::dialect::endpoint::{Operation, ocore};

/// What calling an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Takes {
    /// Nothing: it is how people begin, or end.
    Nothing,
    /// A session.
    Session,
    /// A session of a member of the organization.
    Membership,
    /// All of these permissions in the organization.
    Permissions(&'static [&'static str]),
    /// `manage:projects`, which developers have.
    Projects,
    /// Being an owner or admin of the organization. (Making keys is theirs alone, and so is touching other people's.)
    Administrator,
    /// Being an owner of the organization.
    Owner,
    /// Looking after the whole gateway, whatever the organization.
    ServerAdmin,
}

/// What an endpoint takes, and how it answers who has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) takes: Takes,
    pub(super) answer: u16,
}

const fn row(takes: Takes, answer: u16) -> Row {
    Row { takes, answer }
}

const KEYS: Takes = Takes::Permissions(&["manage:api-keys"]);
const SEE_KEYS: Takes = Takes::Permissions(&["view:api-keys"]);
const MEMBERS: Takes = Takes::Permissions(&["manage:members"]);
const ROLES: Takes = Takes::Permissions(&["manage:roles"]);
const WEBHOOKS: Takes = Takes::Permissions(&["manage:webhooks"]);
const AUDIT: Takes = Takes::Permissions(&["manage:audit-logs"]);
const OPERATIONS: Takes = Takes::Permissions(&["manage:operations"]);

/// The row of an operation.
pub(super) fn expected(operation: Operation) -> Row {
    match operation {
        Operation::LogIn => row(Takes::Nothing, 400),
        Operation::CreateToken | Operation::CreateProjectToken => row(Takes::Administrator, 201),
        // Members see their own.
        Operation::ListTokens => row(Takes::Membership, 200),
        Operation::ShowToken | Operation::UpdateToken | Operation::RegenerateToken => {
            row(Takes::Administrator, 200)
        }
        Operation::ShowTokenUsage => row(Takes::Administrator, 200),
        Operation::ShowUsage => row(Takes::Permissions(&["view:usage"]), 200),
        Operation::DeleteToken => row(Takes::Administrator, 204),
        Operation::CreateWebhook => row(WEBHOOKS, 201),
        Operation::ListWebhooks | Operation::ShowWebhook | Operation::UpdateWebhook => row(WEBHOOKS, 200),
        Operation::DeleteWebhook => row(WEBHOOKS, 204),
        Operation::TestWebhook | Operation::ReplayDelivery => row(WEBHOOKS, 202),
        Operation::ListDeliveries | Operation::ShowDelivery => row(WEBHOOKS, 200),
        Operation::ListAudit | Operation::ExportAudit => row(AUDIT, 200),
        // What it does may take more, and so does its result: here it exports what was used.
        Operation::StartOperation => row(Takes::Permissions(&["manage:operations", "view:usage"]), 202),
        Operation::DownloadResult => row(Takes::Permissions(&["manage:operations", "view:usage"]), 200),
        Operation::ListOperations | Operation::ShowOperation => row(OPERATIONS, 200),
        // The values are handed to whoever asked for them: here, to nobody who calls.
        Operation::CollectValues => row(Takes::Owner, 403),
        Operation::Ocore(operation) => of_ocore(operation),
    }
}

fn of_ocore(operation: ocore::Operation) -> Row {
    use ocore::Operation as Of;
    match operation {
        // Without what the body should have.
        Of::LogIn | Of::LogInWithCode | Of::ForgotPassword | Of::ResetPassword | Of::SignUp => {
            row(Takes::Nothing, 400)
        }
        Of::Refresh => row(Takes::Nothing, 401),
        Of::LogOut => row(Takes::Nothing, 200),
        Of::ShowMe | Of::ListSessions | Of::RevokeSessions | Of::RevokeSession | Of::ListPermissions => {
            row(Takes::Session, 200)
        }
        // A wrong password, as nobody here has one.
        Of::ChangePassword | Of::BeginTotp | Of::RenewRecoveryCodes | Of::DisableTotp => {
            row(Takes::Session, 400)
        }
        // Nothing was begun.
        Of::EnableTotp => row(Takes::Session, 409),
        // Not one that there is.
        Of::AcceptInvitation => row(Takes::Session, 404),
        Of::ListApiKeys | Of::ShowApiKey | Of::ShowApiKeyUsage => row(SEE_KEYS, 200),
        Of::CreateApiKey => row(KEYS, 201),
        Of::UpdateApiKey | Of::DeleteApiKey => row(KEYS, 200),
        Of::ListAllApiKeys | Of::DeleteAnyApiKey => row(Takes::ServerAdmin, 200),
        Of::ListMembers => row(Takes::Permissions(&["view:members"]), 200),
        // Nobody gives a role that can do more than they can.
        Of::ChangeRole => row(Takes::Permissions(&["manage:members", "view:*"]), 200),
        Of::RemoveMember => row(Takes::Permissions(&["manage:members", "view:*"]), 200),
        Of::Leave => row(Takes::Membership, 200),
        Of::ListRoles => row(Takes::Permissions(&["view:roles"]), 200),
        Of::CreateRole => row(ROLES, 201),
        Of::UpdateRole | Of::DeleteRole => row(ROLES, 200),
        Of::Invite => row(Takes::Permissions(&["manage:members", "view:*"]), 201),
        Of::ListInvitations => row(MEMBERS, 200),
        Of::RevokeInvitation => row(MEMBERS, 200),
        Of::ListOwnOrganizations => row(Takes::Session, 200),
        // As the configuration has it where it says nothing.
        Of::CreateOrganization => row(Takes::ServerAdmin, 201),
        Of::ShowOrganization => row(Takes::Permissions(&["view:organization"]), 200),
        Of::UpdateOrganization => row(Takes::Permissions(&["manage:organization"]), 200),
        Of::ListProjects | Of::ShowProject => row(Takes::Permissions(&["view:projects"]), 200),
        Of::CreateProject => row(Takes::Projects, 201),
        Of::UpdateProject | Of::DeleteProject => row(Takes::Projects, 200),
        Of::ListAllOrganizations | Of::ListPeople | Of::ShowPerson => row(Takes::ServerAdmin, 200),
        Of::CreatePerson | Of::IssuePasswordReset => row(Takes::ServerAdmin, 201),
        Of::UpdatePerson | Of::DeletePerson => row(Takes::ServerAdmin, 200),
    }
}
