//! Webhook endpoints and their deliveries, in both dialects.

use super::body::Members;
use super::{Api, Outcome, Request, empty, json};
use crate::config::Dialect;
use crate::control::domain::{By, DomainError, NewWebhook, Violation, WebhookPatch};
use crate::dialect::webhooks;
use crate::store::management::{Delivery, DeliveryFilter, DeliveryState, Page};
use crate::token::Secret;
use bytes::Bytes;
use http::{Response, StatusCode};

pub(super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let mut members = Members::read(request.call)?;
    let wanted = NewWebhook {
        url: members.text("url").unwrap_or_default(),
        events: members.texts("events").unwrap_or_default(),
        description: members.optional_text("description"),
        secret: members.optional_text("secret").map(Secret::new),
        active: members.given_flag(webhooks::active(request.dialect())),
    };
    if let Err(wrong) = members.done() {
        api.domain.webhooks(by, &organization).await?;
        return Err(wrong.into());
    }
    let made = api.domain.create_webhook(by, &organization, wanted).await?;
    let body = webhooks::endpoint(request.dialect(), &made.endpoint, Some(&made.secret));
    Ok(request.created(&made.endpoint.id, json(StatusCode::CREATED, body.to_string())))
}

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let window = request.only_window()?;
    let organization = request.organization(api, by).await?;
    let all = api.domain.webhooks(by, &organization).await?;
    // At most a handful, so that counting them does for a cursor.
    let numbered =
        all.iter().enumerate().rev().map(|(index, endpoint)| {
            (index as u64 + 1, webhooks::endpoint(request.dialect(), endpoint, None))
        });
    let wanted = numbered.filter(|(number, _)| window.before.is_none_or(|before| *number < before));
    let from = usize::try_from(window.offset).unwrap_or(usize::MAX);
    let items = wanted.skip(from).take(window.to_read() as usize).collect();
    Ok(json(StatusCode::OK, window.render(items, all.len() as u64)))
}

pub(super) async fn show(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let endpoint = api.domain.webhook(by, &organization, request.named("endpointId")).await?;
    Ok(json(StatusCode::OK, webhooks::endpoint(request.dialect(), &endpoint, None).to_string()))
}

pub(super) async fn update(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let mut members = Members::read(request.call)?;
    let patch = WebhookPatch {
        url: members.given_text("url"),
        events: members.given_texts("events"),
        description: members.nullable_text("description"),
        secret: members.given_text("secret").map(Secret::new),
        active: members.given_flag(webhooks::active(request.dialect())),
    };
    let id = request.named("endpointId");
    if let Err(wrong) = members.done() {
        api.domain.webhook(by, &organization, id).await?;
        return Err(wrong.into());
    }
    let endpoint = api.domain.update_webhook(by, &organization, id, patch).await?;
    Ok(json(StatusCode::OK, webhooks::endpoint(request.dialect(), &endpoint, None).to_string()))
}

pub(super) async fn delete(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.delete_webhook(by, &organization, request.named("endpointId")).await?;
    Ok(match request.dialect() {
        Dialect::Ocriva | Dialect::Problem => empty(StatusCode::NO_CONTENT),
        Dialect::Ocore => json(StatusCode::OK, r#"{"message":"Webhook endpoint deleted"}"#.to_owned()),
    })
}

pub(super) async fn test(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let delivery = api.domain.test_webhook(by, &organization, request.named("endpointId")).await?;
    Ok(accepted(&delivery))
}

pub(super) async fn deliveries(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let query = request.query()?;
    let window = request.window(&query)?;
    let state = match query.given("status") {
        None => None,
        Some(text) => {
            let known = DeliveryState::ALL.into_iter().find(|known| known.as_str() == text);
            let message = "status must be pending, delivered or failed";
            Some(known.ok_or_else(|| DomainError::from(Violation::new("status", "choice", message)))?)
        }
    };
    let endpoint = match request.dialect() {
        Dialect::Ocriva | Dialect::Problem => query.given("endpointId"),
        Dialect::Ocore => query.given("endpoint_id"),
    };
    let endpoint = endpoint.map(str::to_owned);
    query.done();
    let filter = DeliveryFilter {
        organization: request.organization(api, by).await?,
        endpoint,
        state,
        before_sequence: window.before,
    };
    let page = Page { offset: window.offset, limit: window.to_read() };
    let found = api.domain.deliveries(by, &filter, page).await?;
    let items = found.deliveries.iter().map(|it| (it.sequence, webhooks::delivery(it))).collect();
    Ok(json(StatusCode::OK, window.render(items, found.total)))
}

pub(super) async fn delivery(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let details = api.domain.delivery(by, &organization, request.named("deliveryId")).await?;
    Ok(json(StatusCode::OK, webhooks::details(&details).to_string()))
}

pub(super) async fn replay(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let delivery = api.domain.replay_delivery(by, &organization, request.named("deliveryId")).await?;
    Ok(accepted(&delivery))
}

fn accepted(delivery: &Delivery) -> Response<Bytes> {
    json(StatusCode::ACCEPTED, webhooks::delivery(delivery).to_string())
}
