//! How keys were used, hour by hour, in both dialects.

use super::query::Query;
use super::{Api, Outcome, Request, json};
use crate::control::domain::{By, DomainError, HistoryQuery, Place, Violation};
use crate::dialect::history;
use crate::dialect::time::instant;
use crate::token::KeyFamily;
use http::StatusCode;

pub(super) async fn of_token(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let asked = asked(request.query()?)?;
    let organization = Some(request.organization(api, by).await?);
    let place = Place { organization, family: Some(KeyFamily::Ocriva) };
    let report = api.domain.token_history(by, &place, &request.named("tokenId").into(), &asked).await?;
    Ok(json(StatusCode::OK, history::report(&report)))
}

pub(super) async fn of_api_key(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let asked = asked(request.query()?)?;
    let organization = request.organization(api, by).await?;
    let id = request.named("keyId").into();
    let report = api.domain.api_key_history(by, &organization, &id, &asked).await?;
    Ok(json(StatusCode::OK, history::report(&report)))
}

pub(super) async fn of_organization(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let asked = asked(request.query()?)?;
    let organization = request.organization(api, by).await?;
    let report = api.domain.organization_history(by, &organization, &asked).await?;
    Ok(json(StatusCode::OK, history::report(&report)))
}

fn asked(query: Query) -> Result<HistoryQuery, DomainError> {
    let mut wrong = Vec::new();
    let mut at = |name: &'static str, whole_day: bool| {
        let value = query.given(name)?;
        let read = instant(value, whole_day);
        if read.is_none() {
            let message = format!(
                "{name} must be a date such as 2030-01-31, or an instant such as 2030-01-31T00:00:00Z"
            );
            wrong.push(Violation::new(name, "format", message));
        }
        read
    };
    let (from_ms, until_ms) = (at("from", false), at("to", true));
    let interval = query.given("interval").map(str::to_owned);
    query.done();
    DomainError::unless_none(wrong)?;
    Ok(HistoryQuery { from_ms, until_ms, interval })
}
