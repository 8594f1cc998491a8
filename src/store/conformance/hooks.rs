//! What every store has to do for webhooks and operations.

use super::management::{added, entry, key, subjects, token_change};
use super::{NOW_MS, fixture};
use crate::store::management::{
    Attempt, Attempted, AuditEntry, AuditQuery, DeliveryFilter, DeliveryState, Finish, Management,
    OperationKind, OperationRecord, OperationState, Page, Piece, Rotation, Token, WebhookEndpoint, Written,
};
use crate::token::{Digest, Secret};
use serde_json::{Value, json};

const DAY_MS: u64 = 24 * 3600 * 1000;
const ALL: Page = Page { offset: 0, limit: 100 };

pub(super) async fn suite<S: Management>(make: &impl Fn() -> S) {
    an_event_is_written_with_what_it_tells_of(&make()).await;
    a_delivery_is_tried_until_it_is_finished(&make()).await;
    an_endpoint_that_failed_too_long_is_switched_off(&make()).await;
    an_expiry_is_told_at_its_nearest_day_once(&make()).await;
    an_address_is_told_once_to_who_wants_it(&make()).await;
    what_is_old_is_forgotten(&make()).await;
    a_rotated_value_retires(&make()).await;
    a_retiring_value_changes_with_its_key(&make()).await;
    an_operation_is_finished_once(&make()).await;
    an_export_grows_piece_by_piece(&make()).await;
    an_organization_goes_with_its_keys_and_people(&make()).await;
}

fn endpoint(id: &str, events: &[&str]) -> WebhookEndpoint {
    WebhookEndpoint {
        id: id.to_owned(),
        organization: "org-1".into(),
        url: "https://x.test/".to_owned(),
        description: None,
        events: events.iter().map(|kind| (*kind).into()).collect(),
        active: true,
        failing_since_ms: None,
        disabled_ms: None,
        created_by: Some("u1".into()),
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
        revision: 1,
    }
}

async fn listening(store: &dyn Management, id: &str, events: &[&str]) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let secret = Secret::from("whsec_AAAA");
    let entry = entry("webhook_endpoint.created");
    assert_eq!(store.add_webhook_endpoint(endpoint(id, events), secret, entry).await.unwrap(), Written::Done);
}

/// Types of what is due, with the endpoint of each.
async fn due(store: &dyn Management, now_ms: u64) -> Vec<(String, String)> {
    let all = store.due_deliveries(now_ms, 100).await.unwrap();
    let kind = |body: &str| serde_json::from_str::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned();
    all.iter().map(|due| (kind(&due.body), due.endpoint.clone())).collect()
}

fn pair(kind: &str, endpoint: &str) -> (String, String) {
    (kind.to_owned(), endpoint.to_owned())
}

async fn an_event_is_written_with_what_it_tells_of(store: &dyn Management) {
    listening(store, "all", &["*"]).await;
    listening(store, "some", &["token.deleted"]).await;
    assert_eq!(due(store, NOW_MS).await, [pair("webhook.test", "all"), pair("webhook.test", "some")]);
    let made = Token { reach: crate::token::Reach::Project("p-a".into()), ..key("t1") };
    let done = store.add_token(made, Digest::of("ocr_new"), entry("api_token.created")).await.unwrap();
    assert_eq!(done, Written::Done);
    // What is not done is not told of.
    let homeless = Token { organization: "nowhere".into(), ..key("t2") };
    let done = store.add_token(homeless, Digest::of("ocr_2"), entry("api_token.created")).await.unwrap();
    assert_eq!(done, Written::Moved);
    assert_eq!(
        due(store, NOW_MS).await,
        [pair("webhook.test", "all"), pair("token.created", "all"), pair("webhook.test", "some")]
    );
    let done = store.remove_token(&"t1".into(), 1, entry("api_token.deleted")).await.unwrap();
    assert_eq!(done, Written::Done);
    assert_eq!(due(store, NOW_MS).await.iter().filter(|(kind, _)| kind == "token.deleted").count(), 2);
    assert!(due(store, NOW_MS - 1).await.is_empty());
    let taken = store.webhook_endpoint("some").await.unwrap().unwrap();
    let gone = entry("webhook_endpoint.deleted");
    let done = store.remove_webhook_endpoint("some", taken.revision, gone).await.unwrap();
    assert_eq!(done, Written::Done);
    assert!(due(store, NOW_MS).await.iter().all(|(_, endpoint)| endpoint == "all"));
}

fn attempted(sequence: u64, at_ms: u64, error: Option<&str>, next_ms: Option<u64>) -> Attempted {
    let attempt = Attempt { at_ms, duration_ms: 5, status: Some(500), error: error.map(str::to_owned) };
    Attempted { sequence, attempt, next_ms, patience_since_ms: at_ms - DAY_MS }
}

async fn only(store: &dyn Management) -> crate::store::management::Delivery {
    let filter =
        DeliveryFilter { organization: "org-1".into(), endpoint: None, state: None, before_sequence: None };
    let mut all = store.deliveries(&filter, ALL).await.unwrap().deliveries;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn a_delivery_is_tried_until_it_is_finished(store: &dyn Management) {
    listening(store, "all", &["*"]).await;
    let sequence = only(store).await.sequence;
    assert_eq!(store.delivery_queue().await.unwrap().length, 1);
    let failed = attempted(sequence, NOW_MS + 1, Some("no"), Some(NOW_MS + 50));
    assert!(!store.attempted(failed).await.unwrap());
    assert!(due(store, NOW_MS + 49).await.is_empty());
    assert_eq!(due(store, NOW_MS + 50).await.len(), 1);
    let record = store.webhook_endpoint("all").await.unwrap().unwrap();
    assert_eq!(record.failing_since_ms, Some(NOW_MS + 6));
    store.attempted(attempted(sequence, NOW_MS + 50, None, None)).await.unwrap();
    let delivery = only(store).await;
    assert_eq!((delivery.state, delivery.attempts, delivery.next_ms), (DeliveryState::Delivered, 2, None));
    assert_eq!(delivery.finished_ms, Some(NOW_MS + 55));
    let record = store.webhook_endpoint("all").await.unwrap().unwrap();
    assert_eq!((record.failing_since_ms, record.active), (None, true));
    let details = store.delivery(&"org-1".into(), &delivery.id).await.unwrap().unwrap();
    assert_eq!(details.attempts.iter().map(|it| it.error.as_deref()).collect::<Vec<_>>(), [Some("no"), None]);
    assert!(store.delivery(&"org-2".into(), &delivery.id).await.unwrap().is_none());
    assert_eq!(store.delivery_queue().await.unwrap(), crate::store::management::Queue::default());
    let again = store.replay(&delivery.id, entry("webhook_delivery.replayed")).await.unwrap().unwrap();
    let again = store.delivery(&"org-1".into(), &again).await.unwrap().unwrap();
    assert_eq!((again.delivery.event, again.body), (delivery.event, details.body));
    assert!(store.replay("none", entry("webhook_delivery.replayed")).await.unwrap().is_none());
}

async fn an_endpoint_that_failed_too_long_is_switched_off(store: &dyn Management) {
    listening(store, "all", &["*"]).await;
    let sequence = only(store).await.sequence;
    let fail =
        async |at_ms| store.attempted(attempted(sequence, at_ms, Some("no"), Some(at_ms + 1))).await.unwrap();
    assert!(!fail(NOW_MS).await);
    assert!(!fail(NOW_MS + DAY_MS).await);
    assert!(fail(NOW_MS + DAY_MS + 5).await);
    let record = store.webhook_endpoint("all").await.unwrap().unwrap();
    assert_eq!((record.active, record.disabled_ms), (false, Some(NOW_MS + DAY_MS + 10)));
    assert_eq!(only(store).await.state, DeliveryState::Failed);
    let log = store.audit(&AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(log[0].entry.action, "webhook_endpoint.disabled");
    let on = WebhookEndpoint { active: true, ..record };
    assert_eq!(store.replace_webhook_endpoint(on.clone(), None, entry("x.y")).await.unwrap(), Written::Done);
    let record = store.webhook_endpoint("all").await.unwrap().unwrap();
    assert_eq!((record.active, record.disabled_ms, record.failing_since_ms), (true, None, None));
    assert_eq!(store.replace_webhook_endpoint(on, None, entry("x.y")).await.unwrap(), Written::Moved);
}

async fn an_expiry_is_told_at_its_nearest_day_once(store: &dyn Management) {
    listening(store, "all", &["token.expiring"]).await;
    let life = |days: u64, lifetime_days: u64| Token {
        expires_ms: Some(NOW_MS + days * DAY_MS),
        lifetime_ms: Some(lifetime_days * DAY_MS),
        ..key(&format!("t{days}"))
    };
    // Of the last, nothing is told: it never had a longer life.
    for (number, token) in [life(40, 365), life(6, 365), life(1, 1)].into_iter().enumerate() {
        let value = Digest::of(&format!("ocr_life_{number}"));
        assert_eq!(store.add_token(token, value, entry("x.y")).await.unwrap(), Written::Done);
    }
    let told = async |after_days: u64| store.tell_expiring(NOW_MS + after_days * DAY_MS).await.unwrap();
    assert_eq!((told(0).await, told(0).await), (1, 0));
    assert_eq!((told(5).await, told(9).await, told(10).await, told(20).await), (1, 0, 1, 0));
    assert_eq!((told(33).await, told(39).await, told(39).await), (1, 1, 0));
    let all = store.due_deliveries(u64::MAX, 100).await.unwrap();
    let days: Vec<Value> = all
        .iter()
        .map(|due| serde_json::from_str::<Value>(&due.body).unwrap()["data"]["days"].clone())
        .collect();
    assert_eq!(days, [json!(null), json!(7), json!(1), json!(30), json!(7), json!(1)]);
}

async fn an_address_is_told_once_to_who_wants_it(store: &dyn Management) {
    listening(store, "other", &["token.deleted"]).await;
    let row = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap().row;
    let uses = |text: &str| vec![(row, text.parse().unwrap(), NOW_MS)];
    assert_eq!(store.addresses_wanted().await.unwrap(), 0);
    store.tell_addresses(uses("192.0.2.1"), 3).await.unwrap();
    listening(store, "all", &["token.first_seen_address"]).await;
    let wanted = store.addresses_wanted().await.unwrap();
    assert_ne!(wanted, 0);
    for text in ["192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.2"] {
        store.tell_addresses(uses(text), 3).await.unwrap();
    }
    store.tell_addresses(vec![(u64::MAX, "192.0.2.1".parse().unwrap(), NOW_MS)], 3).await.unwrap();
    let due = store.due_deliveries(NOW_MS, 100).await.unwrap();
    let told = due.iter().filter_map(|due| {
        let body: Value = serde_json::from_str(&due.body).unwrap();
        body["data"]["network"].as_str().map(str::to_owned)
    });
    // One network of IPv6 once, and no more than the three that were asked to be remembered.
    assert_eq!(told.collect::<Vec<_>>(), ["192.0.2.1", "2001:db8::/64", "2001:db8:0:1::/64"]);
    let off = WebhookEndpoint { active: false, ..endpoint("all", &["*"]) };
    assert_eq!(store.replace_webhook_endpoint(off, None, entry("x.y")).await.unwrap(), Written::Done);
    assert_eq!(store.addresses_wanted().await.unwrap(), 0);
}

async fn what_is_old_is_forgotten(store: &dyn Management) {
    listening(store, "all", &["*"]).await;
    let first = only(store).await;
    store.attempted(attempted(first.sequence, NOW_MS, None, None)).await.unwrap();
    for _ in 0..3 {
        let id = store.replay(&first.id, entry("x.y")).await.unwrap().unwrap();
        let sequence = store.delivery(&"org-1".into(), &id).await.unwrap().unwrap().delivery.sequence;
        store.attempted(attempted(sequence, NOW_MS + 10, None, None)).await.unwrap();
    }
    let left = async || {
        let filter = DeliveryFilter {
            organization: "org-1".into(),
            endpoint: Some("all".to_owned()),
            state: None,
            before_sequence: None,
        };
        store.deliveries(&filter, ALL).await.unwrap().total
    };
    store.sweep_deliveries(NOW_MS, 0, NOW_MS + 6, 100).await.unwrap();
    assert_eq!(left().await, 3);
    store.sweep_deliveries(NOW_MS, 0, 0, 2).await.unwrap();
    assert_eq!(left().await, 2);
    // What is pending for longer than anybody tries is given up.
    store.test_webhook_endpoint("all", entry("x.y")).await.unwrap();
    store.sweep_deliveries(NOW_MS + 9, NOW_MS + 1, 0, 100).await.unwrap();
    assert!(due(store, u64::MAX).await.is_empty());
    assert_eq!(left().await, 3);
}

fn operation(id: &str, kind: OperationKind) -> OperationRecord {
    OperationRecord {
        sequence: 0,
        id: id.to_owned(),
        organization: "org-1".into(),
        kind,
        parameters: json!({}),
        state: OperationState::Pending,
        done: 0,
        position: 0,
        error: None,
        actor: Some("u1".into()),
        actor_name: Some("dev@example.com".to_owned()),
        created_ms: NOW_MS,
        finished_ms: None,
        result_ms: None,
    }
}

async fn begun(store: &dyn Management, id: &str, kind: OperationKind) {
    let done = store.add_operation(operation(id, kind), entry("operation.started")).await.unwrap();
    assert_eq!(done, Written::Done);
}

async fn rotated(store: &dyn Management, token: &Token, value: &str, until_ms: u64) -> Written {
    let rotation = Rotation {
        operation: "op".to_owned(),
        token: token.clone(),
        value: Digest::of(value),
        sealed: b"sealed".to_vec(),
        until_ms,
    };
    store.rotate_token(rotation, entry("api_token.regenerated")).await.unwrap()
}

async fn a_rotated_value_retires(store: &dyn Management) {
    let token = added(store, "t1", "ocr_old").await;
    begun(store, "op", OperationKind::RotateTokens).await;
    let waiting =
        store.tokens_to_rotate(&operation("op", OperationKind::RotateTokens), None, 10).await.unwrap();
    assert!(waiting.contains(&token));
    let newest = store.newest_change().await.unwrap();
    assert_eq!(rotated(store, &token, "ocr_new", NOW_MS + 500).await, Written::Done);
    assert_eq!(rotated(store, &token, "ocr_newer", NOW_MS + 500).await, Written::Taken);
    let (old, new) = (token_change("t1", "ocr_old"), token_change("t1", "ocr_new"));
    let changed = subjects(store.changes_after(newest).await.unwrap());
    assert!(changed.contains(&old) && changed.contains(&new), "{changed:?}");
    let found = async |value: &str| store.token_by_digest(Digest::of(value)).await.unwrap();
    let old = found("ocr_old").await.unwrap();
    assert_eq!((&*old.id.text(), old.retiring, old.expires_ms), ("t1", true, Some(NOW_MS + 500)));
    assert_eq!(old.digest, Digest::of("ocr_old"));
    let new = found("ocr_new").await.unwrap();
    assert_eq!((new.retiring, new.expires_ms, new.version), (false, token.expires_ms, old.version));
    assert!(!store.token_by_id(&"t1".into()).await.unwrap().unwrap().retiring);
    let left = store.tokens_to_rotate(&operation("op", OperationKind::RotateTokens), None, 10).await.unwrap();
    assert_eq!(left.len() + 1, waiting.len());
    // Shown once.
    let values = store.take_values("op", entry("x.y")).await.unwrap();
    assert_eq!((values.len(), values[0].sealed.as_slice()), (1, &b"sealed"[..]));
    assert!(store.take_values("op", entry("x.y")).await.unwrap().is_empty());
    // When its time is over, the edge is told to forget it.
    let newest = store.newest_change().await.unwrap();
    store.sweep_operations(NOW_MS + 499, 0).await.unwrap();
    assert!(found("ocr_old").await.is_some());
    store.sweep_operations(NOW_MS + 500, 0).await.unwrap();
    assert!(found("ocr_old").await.is_none() && found("ocr_new").await.is_some());
    let changed = subjects(store.changes_after(newest).await.unwrap());
    assert_eq!(changed, [token_change("t1", "ocr_old")]);
}

async fn a_retiring_value_changes_with_its_key(store: &dyn Management) {
    let token = added(store, "t1", "ocr_old").await;
    begun(store, "op", OperationKind::RotateTokens).await;
    assert_eq!(rotated(store, &token, "ocr_new", NOW_MS + 500).await, Written::Done);
    let newest = store.newest_change().await.unwrap();
    let token = store.token(&"t1".into()).await.unwrap().unwrap();
    let off = Token { active: false, ..token };
    assert_eq!(store.replace_token(off, None, entry("x.y")).await.unwrap(), Written::Done);
    let changed = subjects(store.changes_after(newest).await.unwrap());
    assert_eq!(changed, [token_change("t1", "ocr_new"), token_change("t1", "ocr_old")]);
    assert!(!store.token_by_digest(Digest::of("ocr_old")).await.unwrap().unwrap().active);
    // A value that is given by hand ends what was left working.
    let newest = store.newest_change().await.unwrap();
    let token = store.token(&"t1".into()).await.unwrap().unwrap();
    let value = Some(Digest::of("ocr_newest"));
    assert_eq!(store.replace_token(token, value, entry("x.y")).await.unwrap(), Written::Done);
    assert!(subjects(store.changes_after(newest).await.unwrap()).contains(&token_change("t1", "ocr_old")));
    assert!(store.token_by_digest(Digest::of("ocr_old")).await.unwrap().is_none());
}

fn end(error: Option<&str>, result_ms: Option<u64>) -> Finish {
    let error = error.map(str::to_owned);
    Finish { error, at_ms: NOW_MS + 9, result_ms, entry: entry("operation.completed") }
}

async fn an_operation_is_finished_once(store: &dyn Management) {
    listening(store, "all", &["operation.completed"]).await;
    begun(store, "op", OperationKind::ExportUsage).await;
    let second = operation("op-2", OperationKind::ExportUsage);
    assert_eq!(store.add_operation(second, entry("x.y")).await.unwrap(), Written::Taken);
    let elsewhere =
        OperationRecord { organization: "none".into(), ..operation("op-3", OperationKind::ExportUsage) };
    assert_eq!(store.add_operation(elsewhere, entry("x.y")).await.unwrap(), Written::Moved);
    assert_eq!(store.unfinished_operation().await.unwrap().unwrap().id, "op");
    assert_eq!(store.finish_operation("op", end(None, Some(NOW_MS + 50))).await.unwrap(), Written::Done);
    assert_eq!(store.finish_operation("op", end(Some("no"), None)).await.unwrap(), Written::Moved);
    let record = store.operation("op").await.unwrap().unwrap();
    assert_eq!((record.state, record.finished_ms), (OperationState::Succeeded, Some(NOW_MS + 9)));
    assert!(store.unfinished_operation().await.unwrap().is_none());
    assert_eq!(due(store, NOW_MS).await, [pair("webhook.test", "all"), pair("operation.completed", "all")]);
    let (all, total) = store.operations(&"org-1".into(), None, ALL).await.unwrap();
    assert_eq!((all, total), (vec![record.clone()], 1));
    let (older, _) = store.operations(&"org-1".into(), Some(record.sequence), ALL).await.unwrap();
    assert!(older.is_empty());
    store.sweep_operations(NOW_MS + 50, NOW_MS + 9).await.unwrap();
    assert_eq!(store.operation("op").await.unwrap().unwrap().result_ms, None);
    store.sweep_operations(NOW_MS + 50, NOW_MS + 10).await.unwrap();
    assert!(store.operation("op").await.unwrap().is_none());
}

async fn an_export_grows_piece_by_piece(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    begun(store, "op", OperationKind::ExportAudit).await;
    let piece = |from, to, text: &str| Piece { from, to, things: 2, text: text.to_owned() };
    assert_eq!(store.add_piece("op", piece(0, 7, "a")).await.unwrap(), Written::Done);
    // Done a second time after a crash.
    assert_eq!(store.add_piece("op", piece(0, 7, "a")).await.unwrap(), Written::Moved);
    assert_eq!(store.add_piece("op", piece(7, 3, "b")).await.unwrap(), Written::Done);
    let record = store.operation("op").await.unwrap().unwrap();
    assert_eq!((record.state, record.done, record.position), (OperationState::Running, 4, 3));
    assert_eq!(store.pieces("op").await.unwrap(), "ab");
}

async fn an_organization_goes_with_its_keys_and_people(store: &dyn Management) {
    listening(store, "all", &["operation.completed"]).await;
    let token = added(store, "t1", "ocr_old").await;
    begun(store, "turn", OperationKind::RotateTokens).await;
    begun(store, "op", OperationKind::DeleteOrganization).await;
    let rotation = Rotation {
        operation: "turn".to_owned(),
        token,
        value: Digest::of("ocr_new"),
        sealed: Vec::new(),
        until_ms: NOW_MS + 500,
    };
    assert_eq!(store.rotate_token(rotation, entry("x.y")).await.unwrap(), Written::Done);
    let newest = store.newest_change().await.unwrap();
    let organization = "org-1".into();
    while store.remove_tokens_of("op", &organization, 2).await.unwrap() > 0 {}
    let removed = AuditEntry { after: None, ..entry("organization.deleted") };
    let gone = || store.remove_organization(&organization, removed.clone());
    assert_eq!(gone().await.unwrap(), Written::Done);
    assert_eq!(gone().await.unwrap(), Written::Moved);
    let changed = subjects(store.changes_after(newest).await.unwrap());
    for value in ["ocr_old", "ocr_new"] {
        assert!(changed.contains(&token_change("t1", value)), "{value}");
        assert!(store.token_by_digest(Digest::of(value)).await.unwrap().is_none());
    }
    assert!(changed.contains(&crate::store::ChangeSubject::Organization("org-1".into())));
    assert!(changed.iter().any(|it| matches!(it, crate::store::ChangeSubject::User(_))));
    assert!(store.organization(&organization).await.unwrap().is_none());
    let record = store.operation("op").await.unwrap().unwrap();
    assert_eq!((record.state, record.done), (OperationState::Running, 3));
    // Whoever removed it has still to say so.
    store.sweep_deliveries(NOW_MS, NOW_MS, 0, 100).await.unwrap();
    for id in ["op", "turn"] {
        assert_eq!(store.finish_operation(id, end(None, None)).await.unwrap(), Written::Done);
    }
    // Its last word is still to be said; then its endpoint goes too.
    assert_eq!(due(store, NOW_MS).await.len(), 3);
    store.sweep_deliveries(NOW_MS, 0, 0, 100).await.unwrap();
    assert!(store.webhook_endpoint("all").await.unwrap().is_some());
    store.sweep_deliveries(NOW_MS, NOW_MS + 1, 0, 100).await.unwrap();
    assert!(store.webhook_endpoint("all").await.unwrap().is_none());
}
