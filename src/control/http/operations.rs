//! Operations that take longer than a request, in both dialects.

use super::body::Members;
use super::{Api, Outcome, Request, X_ORG_SLUG, attachment, json};
use crate::config::Dialect;
use crate::control::domain::{By, DomainError, NewOperation, Violation};
use crate::control::error::Refusal;
use crate::dialect::operations;
use crate::dialect::time::instant;
use crate::store::management::{OperationRecord, Page};
use crate::token::OrganizationId;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json as value};

pub(super) async fn start(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let mut members = Members::read(request.call)?;
    let kind = members.text("type").unwrap_or_default();
    let mut wrong = Vec::new();
    let mut at = |name: &'static str, text: Option<String>, end: bool| {
        let read = instant(&text?, end);
        if read.is_none() {
            wrong.push(Violation::new(name, "format", format!("{name} must be a date or an instant")));
        }
        read
    };
    let wanted = NewOperation {
        kind,
        project: members.optional_text("projectId"),
        overlap_s: members.given_number("overlapSeconds"),
        format: members.optional_text("format"),
        from_ms: at("startDate", members.optional_text("startDate"), false),
        until_ms: at("endDate", members.optional_text("endDate"), true),
        confirm: members.optional_text("confirm"),
    };
    members.done()?;
    DomainError::unless_none(wrong)?;
    let operation = api.domain.start_operation(by, &organization, wanted).await?;
    Ok(request.created(&operation.id, accepted(&operation)))
}

/// 202 with an operation that is to be asked for again.
pub(super) fn accepted(operation: &OperationRecord) -> Response<Bytes> {
    let mut response = json(StatusCode::ACCEPTED, operations::record(operation).to_string());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let window = request.only_window()?;
    let organization = request.organization(api, by).await?;
    let page = Page { offset: window.offset, limit: window.to_read() };
    let (found, total) = api.domain.operations(by, &organization, window.before, page).await?;
    let items = found.iter().map(|it| (it.sequence, operations::record(it))).collect();
    Ok(json(StatusCode::OK, window.render(items, total)))
}

pub(super) async fn show(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = place(api, request, by).await?;
    let operation = api.domain.operation(by, organization.as_ref(), request.named("operationId")).await?;
    Ok(json(StatusCode::OK, operations::record(&operation).to_string()))
}

/// What is handed out once is asked for by POST: nothing that fetches ahead or again may take it away.
pub(super) async fn collect(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = place(api, request, by).await?;
    let values = api.domain.collect_values(by, organization.as_ref(), request.named("operationId")).await?;
    let data: Vec<Value> = values
        .iter()
        .map(|it| {
            value!({
                "id": &*it.token.text(),
                "name": it.name,
                "projectId": it.project.as_ref().map(|id| id.as_str()),
                "token": it.value.expose(),
            })
        })
        .collect();
    Ok(json(StatusCode::OK, value!({ "data": data }).to_string()))
}

pub(super) async fn download(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = place(api, request, by).await?;
    let id = request.named("operationId");
    // Of whom it is; whether they may have it is decided below.
    let of = api.domain.operation(by, organization.as_ref(), id).await?.organization;
    let one = api.files.begin(&of)?;
    let file = api.domain.exported(by, organization.as_ref(), id).await?;
    let name = match file.csv {
        true => "attachment; filename=\"export.csv\"",
        false => "attachment; filename=\"export.json\"",
    };
    Ok(attachment(one.body(file.text), file.csv, name))
}

/// The organization that the caller names, if they do: an operation is known by its id, and may have outlived it.
async fn place(api: &Api, request: &Request<'_>, by: &By) -> Result<Option<OrganizationId>, Refusal> {
    if request.dialect() == Dialect::Ocore && !request.call.headers.contains_key(&X_ORG_SLUG) {
        return Ok(None);
    }
    request.organization(api, by).await.map(Some)
}
