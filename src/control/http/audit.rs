//! The audit log, in both dialects: `ocore` names its filters in snake case, `ocriva` in camel case.

use super::query::Query;
use super::{Api, Outcome, Request, attachment, json};
use crate::config::Dialect;
use crate::control::domain::{By, DomainError, MANAGE_AUDIT_LOGS, Violation};
use crate::dialect::audit;
use crate::dialect::csv;
use crate::dialect::time::instant;
use crate::store::management::AuditQuery;
use http::StatusCode;
use serde_json::Value;

/// Entries of an export that is answered at once; more take an operation.
const EXPORTED: u32 = 10_000;

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let query = request.query()?;
    let window = request.window(&query)?;
    let wanted = AuditQuery {
        before_sequence: window.before,
        offset: window.offset,
        limit: window.to_read(),
        ..filters(request.dialect(), &query)?
    };
    query.done();
    let organization = request.organization(api, by).await?;
    let (found, total) = api.domain.audit_log(by, &organization, wanted).await?;
    let items = found.iter().map(|it| (it.sequence, audit::record(it))).collect();
    Ok(json(StatusCode::OK, window.render(items, total)))
}

pub(super) async fn export(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let query = request.query()?;
    let as_csv = match query.named("format").unwrap_or("json") {
        "json" => false,
        "csv" => true,
        _ => {
            let wrong = Violation::new("format", "choice", "format must be json or csv");
            return Err(DomainError::from(wrong).into());
        }
    };
    let wanted = AuditQuery { limit: EXPORTED, ..filters(request.dialect(), &query)? };
    query.done();
    let organization = request.organization(api, by).await?;
    api.domain.may(by, &organization, MANAGE_AUDIT_LOGS).await?;
    let one = api.files.begin(&organization)?;
    let (found, _) = api.domain.audit_log(by, &organization, wanted).await?;
    let (body, name) = if as_csv {
        let head = csv::line(audit::COLUMNS.into_iter());
        let body = found.iter().map(audit::row).fold(head, |body, row| body + &row);
        (body, "attachment; filename=\"audit-log.csv\"")
    } else {
        let body: Value = found.iter().map(audit::record).collect();
        (body.to_string(), "attachment; filename=\"audit-log.json\"")
    };
    Ok(attachment(one.body(body), as_csv, name))
}

fn filters(dialect: Dialect, query: &Query) -> Result<AuditQuery, DomainError> {
    let names = match dialect {
        Dialect::Ocriva | Dialect::Problem => {
            ["action", "resourceType", "resourceId", "userId", "startDate", "endDate"]
        }
        Dialect::Ocore => ["action", "resource_type", "resource_id", "user_id", "start_date", "end_date"],
    };
    let [action, kind, entity, actor, start, end] = names;
    let text = |name: &'static str| query.given(name).map(str::to_owned);
    let mut wrong = Vec::new();
    let mut instant = |name: &'static str, whole_day: bool| {
        let value = text(name)?;
        let read = instant(&value, whole_day);
        if read.is_none() {
            let message = format!(
                "{name} must be a date such as 2030-01-31, or an instant such as 2030-01-31T00:00:00Z"
            );
            wrong.push(Violation::new(name, "format", message));
        }
        read
    };
    let (from_ms, until_ms) = (instant(start, false), instant(end, true));
    DomainError::unless_none(wrong)?;
    Ok(AuditQuery {
        action: text(action),
        kind: text(kind),
        entity: text(entity),
        actor: text(actor),
        from_ms,
        until_ms,
        ..AuditQuery::default()
    })
}
