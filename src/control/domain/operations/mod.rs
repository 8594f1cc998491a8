//! Operations that take longer than a request: asked for, looked at, their results handed out.

mod work;

use super::super::edge::{Effect, Spread};
use super::actor::Subject;
use super::audit::MANAGE_AUDIT_LOGS;
use super::webhooks::new_id;
use super::{Actor, By, Domain, DomainError, MANAGE_API_KEYS, Turn, Violation};
use crate::dialect::{audit, csv, usage};
use crate::store::management::{
    AuditEntry, OperationKind, OperationRecord, OperationState, Page, Token, Written,
};
use crate::token::{OrganizationId, ProjectId, Secret, TokenId};
use serde_json::{Value, json};
use std::time::Duration;

/// What seeing operations takes, and beginning one; more than that says its kind.
const MANAGE_OPERATIONS: &str = "manage:operations";
const VIEW_USAGE: &str = "view:usage";
/// Longest time for which old values work beside the new ones, and the usual one; seconds.
const OVERLAP_MOST_S: u64 = 30 * 24 * 3600;
const OVERLAP_S: u64 = 24 * 3600;

/// How long an oCore client waits for a change to be in force everywhere.
const PATIENCE: Duration = Duration::from_secs(1);

const OPERATION: &str = "operation";
const NOT_YET: &str = "The operation is not finished. Ask again when its status is succeeded or failed.";
const NO_RESULT: &str = "The operation has no result, or its result was handed out or erased already.";
const UNREADABLE: &str = "The new values can not be read any more, because jwt.secret has changed. Rotate again: the old values work until their time is over.";
const NOT_YOURS: &str = "Only whoever asked for the rotation is given the new values.";

/// An operation to be begun, as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct NewOperation {
    /// The name of an [`OperationKind`].
    pub kind: String,
    /// For a rotation: only the keys of this project.
    pub project: Option<String>,
    /// For a rotation: how long the old values work on, in seconds; a day where nothing is said.
    pub overlap_s: Option<u64>,
    /// For an export: `csv` or `json`; `csv` where nothing is said.
    pub format: Option<String>,
    /// For an export of the audit log: then or later, milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// For an export of the audit log: before then, milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// For a deletion: the organization's slug, so that nobody deletes the wrong one.
    pub confirm: Option<String>,
}

/// The new value of a key, which is shown now and never again.
#[derive(Clone, Debug)]
pub struct NewValue {
    /// The key.
    pub token: TokenId,
    /// What it is called; `None` when it is gone.
    pub name: Option<String>,
    /// Its project.
    pub project: Option<ProjectId>,
    /// Its value.
    pub value: Secret,
}

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    /// What is in it.
    pub text: String,
    /// CSV, or else JSON.
    pub csv: bool,
}

impl Domain {
    /// Begins an operation; what it does is done by [`work`](Self::work).
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`]; [`DomainError::Conflict`] when one of its kind is under way.
    pub async fn start_operation(
        &self,
        by: &By,
        organization: &OrganizationId,
        wanted: NewOperation,
    ) -> Result<OperationRecord, DomainError> {
        self.may(by, organization, MANAGE_OPERATIONS).await?;
        let asked = OperationKind::ASKED.into_iter().find(|kind| kind.as_str() == wanted.kind);
        let kind = asked.ok_or_else(unknown_kind)?;
        self.may_operate(by, organization, kind).await?;
        let parameters = self.parameters(organization, kind, &wanted).await?;
        let operation = pending(by, organization, kind, parameters)?;
        let entry = entry(by, "operation.started", &operation, Some(operation.parameters.clone()));
        match self.store.add_operation(operation.clone(), entry).await? {
            Written::Done => self.operation(by, Some(organization), &operation.id).await,
            Written::Moved => Err(DomainError::NotFound("organization")),
            Written::Taken => {
                let message = "An operation of this type is under way in the organization. Wait for its end.";
                Err(DomainError::Conflict(message.to_owned()))
            }
        }
    }

    /// As [`confirm`](Self::confirm), for who waits for [`PATIENCE`] and no longer: then there is an operation that ends when
    /// it is done.
    pub(super) async fn confirm_soon(
        &self,
        turn: Turn<'_>,
        by: &By,
        key: &Token,
        effect: Effect,
    ) -> Result<Option<OperationRecord>, DomainError> {
        drop(turn);
        // At a terminal there is time.
        let patience = (!matches!(by.actor, Actor::Operator)).then_some(PATIENCE);
        let Spread::Underway(change) = self.edge.begin(by.now, effect, patience).await? else {
            return Ok(None);
        };
        let parameters = json!({ "change": change, "tokenId": &*key.id.text() });
        let operation = pending(by, &key.organization, OperationKind::ConfirmChange, parameters)?;
        let entry = entry(by, "operation.started", &operation, Some(operation.parameters.clone()));
        match self.store.add_operation(operation.clone(), entry).await? {
            Written::Done => Ok(Some(operation)),
            // The organization is gone: there is nothing left to be waited for by an operation.
            Written::Moved | Written::Taken => self.edge.spread(change).await.map(|()| None),
        }
    }

    /// What an operation does takes what doing it by hand takes. An organization's end is its owners'.
    async fn may_operate(
        &self,
        by: &By,
        organization: &OrganizationId,
        kind: OperationKind,
    ) -> Result<(), DomainError> {
        let standing = self.standing(by, organization).await?;
        match kind {
            OperationKind::DeleteOrganization => standing.owns(),
            OperationKind::RotateTokens => standing.may_create(),
            OperationKind::ExportAudit => standing.require(MANAGE_AUDIT_LOGS),
            OperationKind::ExportUsage => standing.require(VIEW_USAGE),
            OperationKind::ConfirmChange => standing.require(MANAGE_API_KEYS),
        }
    }

    async fn parameters(
        &self,
        organization: &OrganizationId,
        kind: OperationKind,
        wanted: &NewOperation,
    ) -> Result<Value, DomainError> {
        let home = self.store.organization(organization).await?;
        let home = home.ok_or(DomainError::NotFound("organization"))?;
        let wrong = |field: &'static str, constraint, message: &str| {
            Err(Violation::new(field, constraint, message).into())
        };
        match kind {
            OperationKind::RotateTokens => {
                let overlap_s = wanted.overlap_s.unwrap_or(OVERLAP_S);
                if overlap_s > OVERLAP_MOST_S {
                    return wrong("overlapSeconds", "maximum", "overlapSeconds must be at most 2592000");
                }
                let known = |id: &String| home.projects.iter().any(|project| project.id.as_str() == id);
                if wanted.project.as_ref().is_some_and(|id| !known(id)) {
                    return wrong("projectId", "known", "projectId must be a project of the organization");
                }
                Ok(json!({ "projectId": wanted.project, "overlapSeconds": overlap_s }))
            }
            OperationKind::ExportAudit | OperationKind::ExportUsage => {
                let format = wanted.format.as_deref().unwrap_or("csv");
                if format != "csv" && format != "json" {
                    return wrong("format", "choice", "format must be csv or json");
                }
                Ok(json!({ "format": format, "fromMs": wanted.from_ms, "untilMs": wanted.until_ms }))
            }
            OperationKind::DeleteOrganization if wanted.confirm.as_ref() != Some(&home.slug) => wrong(
                "confirm",
                "match",
                "confirm must be the slug of the organization that is to be deleted",
            ),
            OperationKind::DeleteOrganization => Ok(json!({ "slug": home.slug, "name": home.name })),
            // Nobody asks for it.
            OperationKind::ConfirmChange => Err(unknown_kind().into()),
        }
    }

    /// Reads an operation: for whoever began it, and for owners and admins. Without an organization, it is looked for in
    /// all, and one that is not theirs is not there.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`]
    pub async fn operation(
        &self,
        by: &By,
        organization: Option<&OrganizationId>,
        id: &str,
    ) -> Result<OperationRecord, DomainError> {
        let found = self.store.operation(id).await?;
        let found =
            found.filter(|it| organization.is_none_or(|organization| it.organization == *organization));
        // Whoever has deleted an organization has no part in it any more, and still wants to know how it went.
        if let Some(own) = found.as_ref().filter(|it| it.actor.is_some() && it.actor.as_ref() == by.person())
        {
            return Ok(own.clone());
        }
        // Nor does the operator lose sight of it.
        if let (Actor::Operator, Some(found)) = (&by.actor, &found) {
            return Ok(found.clone());
        }
        match (organization, &found) {
            (Some(organization), _) => self.may(by, organization, MANAGE_OPERATIONS).await?,
            (None, Some(found)) => match self.may(by, &found.organization, MANAGE_OPERATIONS).await {
                Err(DomainError::Forbidden(_)) => return Err(DomainError::NotFound(OPERATION)),
                other => other?,
            },
            (None, None) => {}
        }
        found.ok_or(DomainError::NotFound(OPERATION))
    }

    /// Lists an organization's operations, newest first, and how many there are in all.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn operations(
        &self,
        by: &By,
        organization: &OrganizationId,
        before_sequence: Option<u64>,
        page: Page,
    ) -> Result<(Vec<OperationRecord>, u64), DomainError> {
        self.may(by, organization, MANAGE_OPERATIONS).await?;
        Ok(self.store.operations(organization, before_sequence, page).await?)
    }

    /// Hands out the new values of a rotation, once: they are erased with it. To nobody but whoever asked for it.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`]; [`DomainError::Conflict`] when there is nothing to be had.
    pub async fn collect_values(
        &self,
        by: &By,
        organization: Option<&OrganizationId>,
        id: &str,
    ) -> Result<Vec<NewValue>, DomainError> {
        let operation = self.finished(by, organization, id).await?;
        if operation.actor.as_ref() != by.person() {
            return Err(DomainError::Forbidden(NOT_YOURS));
        }
        if operation.kind != OperationKind::RotateTokens {
            return Err(DomainError::Conflict(NO_RESULT.to_owned()));
        }
        let entry = entry(by, "operation.values_collected", &operation, None);
        let sealed = self.store.take_values(id, entry).await?;
        if sealed.is_empty() {
            return Err(DomainError::Conflict(NO_RESULT.to_owned()));
        }
        let sealer = self.sealer.load();
        let open = |it: crate::store::management::SealedValue| {
            let value = sealer.unseal(&label(id, &it.token), &it.sealed)?;
            Some(NewValue { token: it.token, name: it.name, project: it.project, value })
        };
        let values: Option<Vec<NewValue>> = sealed.into_iter().map(open).collect();
        values.ok_or_else(|| DomainError::Conflict(UNREADABLE.to_owned()))
    }

    /// The file of an export.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`]; [`DomainError::Conflict`] when there is nothing to be had.
    pub async fn exported(
        &self,
        by: &By,
        organization: Option<&OrganizationId>,
        id: &str,
    ) -> Result<File, DomainError> {
        let operation = self.finished(by, organization, id).await?;
        let columns = match operation.kind {
            OperationKind::ExportAudit => audit::COLUMNS.as_slice(),
            OperationKind::ExportUsage => usage::COLUMNS.as_slice(),
            OperationKind::RotateTokens
            | OperationKind::DeleteOrganization
            | OperationKind::ConfirmChange => {
                return Err(DomainError::Conflict(NO_RESULT.to_owned()));
            }
        };
        if operation.result_ms.is_none_or(|until| until <= by.now.unix_ms) {
            return Err(DomainError::Conflict(NO_RESULT.to_owned()));
        }
        let pieces = self.store.pieces(id).await?;
        let csv = is_csv(&operation);
        let head = || csv::line(columns.iter().copied());
        Ok(File { text: if csv { head() + &pieces } else { format!("[{pieces}]") }, csv })
    }

    /// A finished operation whose result `by` may have.
    async fn finished(
        &self,
        by: &By,
        organization: Option<&OrganizationId>,
        id: &str,
    ) -> Result<OperationRecord, DomainError> {
        let operation = self.operation(by, organization, id).await?;
        self.may(by, &operation.organization, MANAGE_OPERATIONS).await?;
        // A result tells what doing it by hand would tell, and is for who may do that now: whoever it was made for.
        self.may_operate(by, &operation.organization, operation.kind).await?;
        if !operation.state.finished() {
            return Err(DomainError::Conflict(NOT_YET.to_owned()));
        }
        Ok(operation)
    }
}

fn pending(
    by: &By,
    organization: &OrganizationId,
    kind: OperationKind,
    parameters: Value,
) -> Result<OperationRecord, DomainError> {
    Ok(OperationRecord {
        sequence: 0,
        id: new_id("op")?,
        organization: organization.clone(),
        kind,
        parameters,
        state: OperationState::Pending,
        done: 0,
        position: 0,
        error: None,
        actor: by.person().cloned(),
        actor_name: by.entry(about("", organization, None)).actor_name,
        created_ms: by.now.unix_ms,
        finished_ms: None,
        result_ms: None,
    })
}

fn unknown_kind() -> Violation {
    let all = OperationKind::ASKED.map(OperationKind::as_str).join(", ");
    Violation::new("type", "choice", format!("type must be one of {all}"))
}

fn is_csv(operation: &OperationRecord) -> bool {
    operation.parameters["format"] != "json"
}

/// What a new value is sealed for.
fn label(operation: &str, token: &TokenId) -> String {
    format!("{operation}/{token}")
}

fn about<'a>(id: &'a str, organization: &'a OrganizationId, after: Option<Value>) -> Subject<'a> {
    Subject {
        action: "operation.started",
        organization: Some(organization),
        id,
        name: None,
        before: None,
        after,
    }
}

fn entry(by: &By, action: &'static str, operation: &OperationRecord, after: Option<Value>) -> AuditEntry {
    let name = Some(operation.kind.as_str());
    by.entry(Subject { action, name, ..about(&operation.id, &operation.organization, after) })
}
