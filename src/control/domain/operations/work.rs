//! Operations done, step by step. A step looks at what is there and not at what was done last, so that it can be done
//! again.

use super::super::Effect;
use super::super::actor::{Actor, Origin, Person};
use super::{By, Domain, DomainError, entry, is_csv, label};
use crate::clock::Moment;
use crate::dialect::{audit, usage};
use crate::store::StoreError;
use crate::store::management::{
    AuditQuery, Finish, OperationKind, OperationRecord, Page, Piece, TokenFilter, Written,
};
use serde_json::{Value, json};

/// Keys that are rotated or removed in one step, and entries of one piece of an export.
const ROTATED: u32 = 50;
const REMOVED: u32 = 500;
const EXPORTED: u32 = 1000;
/// Entries of an export at most: it is handed out in one piece.
const EXPORTED_MOST: u64 = 200_000;
/// How long a result is kept.
const KEPT_MS: u64 = 7 * 24 * 3600 * 1000;

/// What a step has left to do.
enum Step {
    More,
    Done,
}

impl Domain {
    /// Does one step of the oldest operation; its id, `None` when there is nothing to do.
    ///
    /// # Errors
    /// The id and why the step could not be done; it is to be tried again. What can never be done ends the operation.
    pub async fn work(&self, now: Moment) -> Result<Option<String>, (Option<String>, DomainError)> {
        let next = self.store.unfinished_operation().await.map_err(|error| (None, error.into()))?;
        let Some(operation) = next else { return Ok(None) };
        let by = by(&operation, now);
        let ended = match self.step(&by, &operation).await {
            Ok(Step::More) => Ok(()),
            Ok(Step::Done) => self.finish(&by, &operation, None).await,
            Err(error @ (DomainError::Store(_) | DomainError::Unconfirmed(_) | DomainError::Internal(_))) => {
                Err(error)
            }
            Err(error) => self.finish(&by, &operation, Some(error.to_string())).await,
        };
        ended.map(|()| Some(operation.id.clone())).map_err(|error| (Some(operation.id), error))
    }

    /// Gives an operation up that could not be done however often it was tried.
    ///
    /// # Errors
    /// The store's.
    pub async fn give_up(&self, id: &str, now: Moment) -> Result<(), DomainError> {
        let Some(operation) = self.store.operation(id).await? else { return Ok(()) };
        let why = "it could not be done, and the gateway's log says why".to_owned();
        let why = (!self.is_gone(&operation).await?).then_some(why);
        self.finish(&by(&operation, now), &operation, why).await
    }

    /// Erases what was to be had for a time, and values that have retired.
    ///
    /// # Errors
    /// The store's.
    pub async fn sweep_operations(&self, now: Moment) -> Result<(), DomainError> {
        let old_ms = now.unix_ms.saturating_sub(5 * KEPT_MS);
        Ok(self.store.sweep_operations(now.unix_ms, old_ms).await?)
    }

    async fn step(&self, by: &By, operation: &OperationRecord) -> Result<Step, DomainError> {
        // It only waits for what is written already, whoever wrote it.
        if operation.kind == OperationKind::ConfirmChange || self.is_gone(operation).await? {
            // Here as well: it is seldom the node that wrote it.
            self.edge.confirm(by.now, Effect::TakesAway).await?;
            return Ok(Step::Done);
        }
        // Whoever is not an admin any more has nothing done in their name.
        self.may_operate(by, &operation.organization, operation.kind).await?;
        match operation.kind {
            OperationKind::ConfirmChange => Ok(Step::Done),
            OperationKind::RotateTokens => self.rotate_some(by, operation).await,
            OperationKind::ExportAudit => self.export_audit(by, operation).await,
            OperationKind::ExportUsage => self.export_usage(operation).await,
            OperationKind::DeleteOrganization => self.delete_some(by, operation).await,
        }
    }

    async fn rotate_some(&self, by: &By, operation: &OperationRecord) -> Result<Step, DomainError> {
        let project = operation.parameters["projectId"].as_str().map(Into::into);
        let tokens = self.store.tokens_to_rotate(operation, project.as_ref(), ROTATED).await?;
        if tokens.is_empty() {
            // Whoever rotated the last of them may have ended before it was certain.
            self.confirm(&mut None, by.now, Effect::TakesAway).await?;
            return Ok(Step::Done);
        }
        let overlap_s = operation.parameters["overlapSeconds"].as_u64().unwrap_or(0);
        let until_ms = by.now.unix_ms.saturating_add(overlap_s * 1000);
        let sealer = self.sealer.load_full();
        for token in tokens {
            let seal = |id: &_, value: &_| sealer.seal(&label(&operation.id, id), value);
            self.rotate_token(by, &operation.id, token, until_ms, seal).await?;
        }
        self.confirm(&mut None, by.now, Effect::TakesAway).await?;
        Ok(Step::More)
    }

    async fn export_audit(&self, by: &By, operation: &OperationRecord) -> Result<Step, DomainError> {
        let first = operation.position == 0;
        let query = AuditQuery {
            organization: Some(operation.organization.clone()),
            from_ms: operation.parameters["fromMs"].as_u64(),
            // Nor what the export itself leaves behind.
            until_ms: Some(operation.parameters["untilMs"].as_u64().unwrap_or(by.now.unix_ms)),
            before_sequence: Some(operation.position).filter(|_| !first),
            limit: EXPORTED,
            ..AuditQuery::default()
        };
        let found = self.store.audit(&query).await?;
        let Some(last) = found.last() else { return Ok(Step::Done) };
        let text = match is_csv(operation) {
            true => found.iter().map(audit::row).collect(),
            false => joined(found.iter().map(audit::record), first),
        };
        self.add(
            operation,
            Piece { from: operation.position, to: last.sequence, things: found.len() as u64, text },
        )
        .await
    }

    async fn export_usage(&self, operation: &OperationRecord) -> Result<Step, DomainError> {
        if operation.position == 0 {
            self.settle_usage().await;
        }
        let filter =
            TokenFilter { organization: Some(operation.organization.clone()), ..TokenFilter::default() };
        let from = operation.position;
        let found = self.store.list_tokens(&filter, Page { offset: from, limit: EXPORTED }).await?.tokens;
        if found.is_empty() {
            return Ok(Step::Done);
        }
        let text = match is_csv(operation) {
            true => found.iter().map(usage::row).collect(),
            false => joined(found.iter().map(usage::record), from == 0),
        };
        let things = found.len() as u64;
        self.add(operation, Piece { from, to: from + things, things, text }).await
    }

    async fn add(&self, operation: &OperationRecord, piece: Piece) -> Result<Step, DomainError> {
        if operation.done + piece.things > EXPORTED_MOST {
            let message = "there is more than an export can hold; ask for less by startDate and endDate";
            return Err(DomainError::Conflict(message.to_owned()));
        }
        // Moved: somebody else has done this step.
        let _ = self.store.add_piece(&operation.id, piece).await?;
        Ok(Step::More)
    }

    async fn delete_some(&self, by: &By, operation: &OperationRecord) -> Result<Step, DomainError> {
        let organization = &operation.organization;
        let removed = self.store.remove_tokens_of(&operation.id, organization, REMOVED).await?;
        self.confirm(&mut None, by.now, Effect::TakesAway).await?;
        if removed >= u64::from(REMOVED) {
            return Ok(Step::More);
        }
        // Fewer than a step's worth: whoever makes keys meanwhile does not keep the organization alive by that.
        let name = operation.parameters["name"].as_str();
        let gone = by.entry(super::Subject {
            action: "organization.deleted",
            organization: Some(organization),
            id: organization.as_str(),
            name,
            before: Some(operation.parameters.clone()),
            after: None,
        });
        // Moved: it was removed by somebody else, which is as good.
        let _: Written = self.store.remove_organization(organization, gone).await?;
        // Before it is said to be done: its members may have been able to do something too.
        self.confirm(&mut None, by.now, Effect::TakesAway).await?;
        Ok(Step::Done)
    }

    /// Whether an organization has been removed already, by somebody who has ended before it could be said.
    async fn is_gone(&self, operation: &OperationRecord) -> Result<bool, DomainError> {
        if operation.kind != OperationKind::DeleteOrganization {
            return Ok(false);
        }
        match self.store.organization_record(&operation.organization).await {
            // It is there, and can be removed all the same.
            Err(StoreError::Corrupt { .. }) => Ok(false),
            record => Ok(record?.is_none()),
        }
    }

    async fn finish(
        &self,
        by: &By,
        operation: &OperationRecord,
        error: Option<String>,
    ) -> Result<(), DomainError> {
        // Moved: it was finished already.
        let _ = self.store.finish_operation(&operation.id, finish(by, operation, error)).await?;
        Ok(())
    }
}

/// In whose name an operation is done.
fn by(operation: &OperationRecord, now: Moment) -> By {
    let person = |id: &crate::token::UserId| {
        let email = operation.actor_name.clone().unwrap_or_default();
        Actor::Person(Person { id: id.clone(), email, session: String::new() })
    };
    By { actor: operation.actor.as_ref().map_or(Actor::Operator, person), origin: Origin::default(), now }
}

fn finish(by: &By, operation: &OperationRecord, error: Option<String>) -> Finish {
    let action = if error.is_none() { "operation.completed" } else { "operation.failed" };
    let after = json!({
        "type": operation.kind.as_str(),
        "done": operation.done,
        "error": error,
        "projectId": operation.parameters.get("projectId"),
    });
    let result = match operation.kind {
        // What was rotated before it failed has its new values too.
        OperationKind::RotateTokens => operation.done > 0,
        OperationKind::ExportAudit | OperationKind::ExportUsage => error.is_none(),
        OperationKind::DeleteOrganization | OperationKind::ConfirmChange => false,
    };
    let overlap_ms = operation.parameters["overlapSeconds"].as_u64().unwrap_or(0) * 1000;
    let until_ms = by.now.unix_ms.saturating_add(KEPT_MS.max(overlap_ms));
    Finish {
        error,
        at_ms: by.now.unix_ms,
        result_ms: result.then_some(until_ms),
        entry: entry(by, action, operation, Some(after)),
    }
}

/// Items of a JSON array, as its beginning or as more of it.
fn joined(items: impl Iterator<Item = Value>, first: bool) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    format!("{}{}", if first { "" } else { "," }, items.join(","))
}
