//! How keys were used, hour by hour.

use super::management::entry;
use super::{NOW_MS, fixture};
use crate::store::history::{Counted, HOUR_MS, Reason, Refused, Subject};
use crate::store::management::{Management, Written};
use crate::store::{Store, Usage};
use crate::token::{Digest, TokenId};
use std::time::Duration;

const DAYS_90: Duration = Duration::from_secs(90 * 24 * 3600);
/// 2027-01-15T08:00:00Z, the hour of [`NOW_MS`].
const NOW: u64 = NOW_MS / HOUR_MS;
const DAY: u64 = 24;

pub(super) async fn suite<S: Management>(make: &impl Fn() -> S) {
    nothing_is_kept_before_it_is_wanted(&make()).await;
    uses_go_into_the_hour_of_the_latest(&make()).await;
    refusals_count_once(&make()).await;
    what_is_too_old_is_forgotten(&make()).await;
    it_goes_with_the_key_and_stays_with_the_organization(&make()).await;
    a_large_batch_is_added_whole(&make()).await;
}

/// A key of the fixture, its row, and what it counts.
struct Key {
    row: u64,
    own: Subject,
    id: TokenId,
}

async fn key(store: &dyn Store, value: &str) -> Key {
    let record = store.token_by_digest(Digest::of(value)).await.unwrap().unwrap();
    Key { row: record.row, own: Subject::Token(record.id.clone()), id: record.id }
}

fn ours() -> Subject {
    Subject::Organization("org-1".into())
}

/// All that there is, in order.
async fn all(store: &dyn Store, of: &Subject) -> Vec<(u64, Option<Reason>, u64)> {
    let mut found = store.history(of, 0..u64::MAX / HOUR_MS, NOW_MS).await.unwrap().counted;
    found.sort();
    found.into_iter().map(|Counted { hour, reason, count }| (hour, reason, count)).collect()
}

fn used(slot: u32, row: u64, total: u64, last_used_ms: u64) -> Usage {
    Usage { slot, row, total, last_used_ms }
}

fn refused(row: u64, hour: u64, reason: Reason, count: u64) -> Refused {
    Refused { row, hour, reason, count }
}

async fn nothing_is_kept_before_it_is_wanted(store: &dyn Store) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let Key { row, own, id } = key(store, "ocr_1").await;
    store.add_usage("j", vec![used(0, row, 5, NOW_MS)]).await.unwrap();
    store.add_refusals("j", 1, vec![refused(row, NOW, Reason::Limited, 1)]).await.unwrap();
    let history = store.history(&own, 0..NOW + 1, NOW_MS).await.unwrap();
    assert_eq!((history.kept_since_ms, history.counted), (None, Vec::new()));
    assert_eq!(store.usage(&id).await.unwrap().unwrap().0, 5);

    store.keep_history(Some(DAYS_90), NOW_MS).await.unwrap();
    store.add_usage("j", vec![used(0, row, 7, NOW_MS)]).await.unwrap();
    assert_eq!(all(store, &own).await, [(NOW, None, 2)]);
    let history = store.history(&own, 0..NOW + 1, NOW_MS + 50 * HOUR_MS).await.unwrap();
    assert_eq!(history.kept_since_ms, Some(NOW_MS));

    store.keep_history(None, NOW_MS).await.unwrap();
    assert_eq!(all(store, &own).await, []);
    store.keep_history(Some(DAYS_90), NOW_MS + 1).await.unwrap();
    assert_eq!((all(store, &own).await, all(store, &ours()).await), (Vec::new(), Vec::new()));
    let history = store.history(&own, 0..NOW + 1, NOW_MS + 1).await.unwrap();
    assert_eq!(history.kept_since_ms, Some(NOW_MS + 1));
}

async fn uses_go_into_the_hour_of_the_latest(store: &dyn Store) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.keep_history(Some(DAYS_90), 0).await.unwrap();
    let (one, other) = (key(store, "ocr_1").await, key(store, "ocore_1").await);
    // The last instant of a day, and the first of the next.
    let midnight = (NOW - NOW % DAY) * HOUR_MS;
    let batch = vec![used(0, one.row, 3, midnight - 1), used(1, other.row, 4, midnight)];
    store.add_usage("j1", batch.clone()).await.unwrap();
    store.add_usage("j1", batch).await.unwrap();
    store.add_usage("j1", vec![used(0, one.row, 8, midnight)]).await.unwrap();
    // Another node adds to the same row, and so does a second slot of the same key.
    store.add_usage("j2", vec![used(0, one.row, 1, midnight), used(1, one.row, 1, midnight)]).await.unwrap();
    store.add_usage("j2", vec![used(1, one.row, 2, midnight + HOUR_MS)]).await.unwrap();
    let first = midnight / HOUR_MS;
    assert_eq!(all(store, &one.own).await, [(first - 1, None, 3), (first, None, 7), (first + 1, None, 1)]);
    assert_eq!(all(store, &other.own).await, [(first, None, 4)]);
    assert_eq!(all(store, &ours()).await, [(first - 1, None, 3), (first, None, 11), (first + 1, None, 1)]);
    assert_eq!(store.usage(&one.id).await.unwrap().unwrap().0, 11);
    // A part: its end is not in it.
    let part = store.history(&one.own, first - 1..first, NOW_MS).await.unwrap();
    assert_eq!(part.counted, [Counted { hour: first - 1, reason: None, count: 3 }]);
    assert_eq!(store.history(&one.own, first..first, NOW_MS).await.unwrap().counted, []);
    // Nobody's.
    store.add_usage("j2", vec![used(9, 999, 1, midnight)]).await.unwrap();
    assert_eq!(all(store, &Subject::Token("nobody".into())).await, []);
    assert_eq!(all(store, &ours()).await.len(), 3);
}

async fn refusals_count_once(store: &dyn Store) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.keep_history(Some(DAYS_90), 0).await.unwrap();
    let (one, other) = (key(store, "ocr_1").await, key(store, "ocore_1").await);
    let batch: Vec<Refused> =
        Reason::ALL.into_iter().map(|reason| refused(one.row, NOW, reason, 2)).collect();
    for (journal, number) in [("j1", 1), ("j1", 1), ("j2", 1), ("j1", 2), ("j1", 1)] {
        store.add_refusals(journal, number, batch.clone()).await.unwrap();
    }
    let mixed = vec![refused(other.row, NOW - 1, Reason::Scope, 5), refused(999, NOW, Reason::Scope, 1)];
    store.add_refusals("j2", 2, mixed).await.unwrap();
    let own = all(store, &one.own).await;
    assert_eq!(own.len(), Reason::ALL.len());
    assert!(
        own.iter().all(|(hour, reason, count)| (*hour, *count) == (NOW, 6) && reason.is_some()),
        "{own:?}"
    );
    assert_eq!(all(store, &other.own).await, [(NOW - 1, Some(Reason::Scope), 5)]);
    assert_eq!(all(store, &ours()).await.len(), Reason::ALL.len() + 1);
    // What a journal had written is forgotten with it.
    store.forget_journal("j1").await.unwrap();
    store.add_refusals("j1", 1, vec![refused(one.row, NOW - 2, Reason::Scope, 1)]).await.unwrap();
    assert_eq!(all(store, &one.own).await[0], (NOW - 2, Some(Reason::Scope), 1));
}

async fn what_is_too_old_is_forgotten(store: &dyn Store) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let long = Duration::from_secs(48 * 3600);
    store.keep_history(Some(long), 0).await.unwrap();
    let Key { row, own, .. } = key(store, "ocr_1").await;
    for (number, hour) in (1..).zip([NOW - 48, NOW - 49, NOW - 80, NOW]) {
        store.add_refusals("j", number, vec![refused(row, hour, Reason::Limited, number)]).await.unwrap();
    }
    let limited = |hour, count| (hour, Some(Reason::Limited), count);
    // Not shown from the hour on in which it is too old, and gone with its day.
    assert_eq!(all(store, &own).await, [limited(NOW - 48, 1), limited(NOW, 4)]);
    let later = store.history(&own, 0..NOW + 1, NOW_MS + HOUR_MS).await.unwrap();
    assert_eq!((later.counted.len(), later.kept_since_ms), (1, Some(NOW_MS - 47 * HOUR_MS)));
    store.keep_history(Some(long), NOW_MS).await.unwrap();
    // A longer time brings nothing back, and says so.
    store.keep_history(Some(DAYS_90), NOW_MS).await.unwrap();
    let history = store.history(&own, 0..NOW + 1, NOW_MS).await.unwrap();
    assert_eq!(history.kept_since_ms, Some(NOW_MS - 48 * HOUR_MS));
    for of in [&own, &ours()] {
        assert_eq!(all(store, of).await, [limited(NOW - 48, 1), limited(NOW, 4)]);
    }
}

async fn it_goes_with_the_key_and_stays_with_the_organization(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.keep_history(Some(DAYS_90), 0).await.unwrap();
    let Key { row, own, id } = key(store, "ocr_1").await;
    store.add_usage("j", vec![used(0, row, 5, NOW_MS)]).await.unwrap();
    let revision = store.token(&id).await.unwrap().unwrap().revision;
    assert_eq!(store.remove_token(&id, revision, entry("api_token.deleted")).await.unwrap(), Written::Done);
    store.add_refusals("j", 1, vec![refused(row, NOW, Reason::Limited, 1)]).await.unwrap();
    assert_eq!(all(store, &own).await, []);
    assert_eq!(all(store, &ours()).await, [(NOW, None, 5)]);
    let gone = store.remove_organization(&"org-1".into(), entry("organization.deleted")).await;
    assert_eq!(gone.unwrap(), Written::Done);
    assert_eq!(all(store, &ours()).await, []);
}

async fn a_large_batch_is_added_whole(store: &dyn Store) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.keep_history(Some(DAYS_90), 0).await.unwrap();
    let Key { row, own, .. } = key(store, "ocr_1").await;
    let hours = 89 * DAY;
    let batch = (0..hours).map(|back| refused(row, NOW - back, Reason::Limited, back + 1)).collect();
    store.add_refusals("j", 1, batch).await.unwrap();
    for of in [&own, &ours()] {
        let found = all(store, of).await;
        assert_eq!(found.len() as u64, hours);
        assert!(found.iter().all(|(hour, _, count)| NOW - hour + 1 == *count));
    }
}
