//! Operations that take longer than a request. Each step is one transaction together with where it leaves the operation,
//! so that a step which is done again after a crash finds itself done.

use super::{AuditEntry, Page, Token, Written};
use crate::store::Answer;
use crate::token::{Digest, OrganizationId, ProjectId, TokenId, UserId};
use serde_json::Value;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// Gives every key of a project or organization a new value.
    RotateTokens,
    /// Writes the audit log into a file.
    ExportAudit,
    /// Writes what was used into a file.
    ExportUsage,
    /// Removes an organization and all that belongs to it.
    DeleteOrganization,
    /// Waits until a change is in force on every node. Nobody asks for it: it is what is left of a request that would have
    /// taken too long.
    ConfirmChange,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::RotateTokens,
        Self::ExportAudit,
        Self::ExportUsage,
        Self::DeleteOrganization,
        Self::ConfirmChange,
    ];

    /// Those that clients ask for.
    pub const ASKED: [Self; 4] =
        [Self::RotateTokens, Self::ExportAudit, Self::ExportUsage, Self::DeleteOrganization];

    /// The name used in the store and by clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RotateTokens => "rotate_tokens",
            Self::ExportAudit => "export_audit",
            Self::ExportUsage => "export_usage",
            Self::DeleteOrganization => "delete_organization",
            Self::ConfirmChange => "confirm_change",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// It has not begun.
    Pending,
    /// It has begun.
    Running,
    /// It is done.
    Succeeded,
    /// It was given up.
    Failed,
}

impl OperationState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed];

    /// The name used in the store and by clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing is to come any more.
    pub fn finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRecord {
    /// Its place in the order of all; grows.
    pub sequence: u64,
    /// Opaque id.
    pub id: String,
    /// Whose.
    pub organization: OrganizationId,
    /// What it does.
    pub kind: OperationKind,
    /// What was asked for.
    pub parameters: Value,
    /// How far it has come.
    pub state: OperationState,
    /// How many things are done.
    pub done: u64,
    /// Where the next step begins.
    pub position: u64,
    /// Why it was given up.
    pub error: Option<String>,
    /// Who asked for it; `None` for the operator.
    pub actor: Option<UserId>,
    /// What they were called then.
    pub actor_name: Option<String>,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub finished_ms: Option<u64>,
    /// Until then there is a result to be had, milliseconds since 1970.
    pub result_ms: Option<u64>,
}

/// A piece of a result, and where it leaves its operation.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where the operation stood: [`OperationRecord::position`].
    pub from: u64,
    /// Where the next piece begins.
    pub to: u64,
    /// How many things are in it.
    pub things: u64,
    /// What is in it.
    pub text: String,
}

/// A key that is given a new value while the old one goes on working.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The operation.
    pub operation: String,
    /// The key as it is to be, at the revision at which it was read.
    pub token: Token,
    /// Its new value.
    pub value: Digest,
    /// The new value, to be shown once.
    pub sealed: Vec<u8>,
    /// Until then the old value works, milliseconds since 1970.
    pub until_ms: u64,
}

/// The new value of a key, to be shown now and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedValue {
    /// The key.
    pub token: TokenId,
    /// What it is called; `None` when it is gone.
    pub name: Option<String>,
    /// Its project.
    pub project: Option<ProjectId>,
    /// Its new value.
    pub sealed: Vec<u8>,
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Why it was given up; `None` when it was done.
    pub error: Option<String>,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Until then there is a result to be had, milliseconds since 1970.
    pub result_ms: Option<u64>,
    /// What the audit log says of it.
    pub entry: AuditEntry,
}

/// What a database offers for operations.
pub trait Operations {
    /// Adds an operation. [`Written::Taken`] when one of its kind is under way in the organization, [`Written::Moved`]
    /// when that is gone.
    fn add_operation(&self, operation: OperationRecord, entry: AuditEntry) -> Answer<'_, Written>;
    /// The operation with this id.
    fn operation<'a>(&'a self, id: &'a str) -> Answer<'a, Option<OperationRecord>>;
    /// An organization's operations, newest first: those before a sequence, and how many there are in all.
    fn operations<'a>(
        &'a self,
        of: &'a OrganizationId,
        before_sequence: Option<u64>,
        page: Page,
    ) -> Answer<'a, (Vec<OperationRecord>, u64)>;
    /// The oldest operation that is not finished.
    fn unfinished_operation(&self) -> Answer<'_, Option<OperationRecord>>;
    /// Ends an operation. [`Written::Moved`] when it was finished already.
    fn finish_operation<'a>(&'a self, id: &'a str, finish: Finish) -> Answer<'a, Written>;

    /// Keys that a rotation has still to do: of its organization and project, made before it began.
    fn tokens_to_rotate<'a>(
        &'a self,
        operation: &'a OperationRecord,
        project: Option<&'a ProjectId>,
        limit: u32,
    ) -> Answer<'a, Vec<Token>>;
    /// Gives a key a new value; the old one works on for its time. [`Written::Moved`] when the key was altered meanwhile,
    /// [`Written::Taken`] when it is done already.
    fn rotate_token(&self, rotation: Rotation, entry: AuditEntry) -> Answer<'_, Written>;
    /// Adds a piece to an export. [`Written::Moved`] when the operation stands elsewhere.
    fn add_piece<'a>(&'a self, id: &'a str, piece: Piece) -> Answer<'a, Written>;
    /// Removes up to `limit` keys of an organization; how many there were.
    fn remove_tokens_of<'a>(
        &'a self,
        operation: &'a str,
        organization: &'a OrganizationId,
        limit: u32,
    ) -> Answer<'a, u64>;
    /// Removes an organization with all that belongs to it, but for operations that are under way. [`Written::Moved`] when it
    /// is gone already.
    fn remove_organization<'a>(
        &'a self,
        organization: &'a OrganizationId,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// Takes the new values out of a rotation's result: nobody gets them again.
    fn take_values<'a>(&'a self, operation: &'a str, entry: AuditEntry) -> Answer<'a, Vec<SealedValue>>;
    /// An export as far as it is written.
    fn pieces<'a>(&'a self, operation: &'a str) -> Answer<'a, String>;
    /// Erases results whose time is over, values that have retired, and operations that finished before `old_ms`.
    fn sweep_operations(&self, now_ms: u64, old_ms: u64) -> Answer<'_, ()>;
}
