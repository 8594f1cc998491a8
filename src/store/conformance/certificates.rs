//! Certificates by ACME: kept whole, and ordered by one at a time.

use super::NOW_MS;
use crate::store::management::{Issued, Management, OrderEnd};
use crate::token::Secret;

pub(super) async fn suite<S: Management>(make: &impl Fn() -> S) {
    accounts_and_certificates_are_kept(&make()).await;
    one_orders_at_a_time_and_not_before_its_time(&make()).await;
    who_stops_in_between_forgets_no_failure(&make()).await;
}

async fn accounts_and_certificates_are_kept(store: &dyn Management) {
    assert_eq!(store.acme_account("https://a").await.unwrap(), None);
    assert_eq!(store.issued("a.test").await.unwrap(), None);
    for text in ["first", "second"] {
        store.keep_acme_account("https://a", Some(Secret::from(text))).await.unwrap();
        assert_eq!(store.acme_account("https://a").await.unwrap(), Some(Secret::from(text)));
        let issued = Issued { chain: format!("chain {text}"), key: Secret::from(text), obtained_ms: NOW_MS };
        store.keep_issued("a.test", issued.clone()).await.unwrap();
        assert_eq!(store.issued("a.test").await.unwrap(), Some(issued));
    }
    assert_eq!(store.acme_account("https://b").await.unwrap(), None);
    store.keep_acme_account("https://a", None).await.unwrap();
    assert_eq!(store.acme_account("https://a").await.unwrap(), None);
}

async fn one_orders_at_a_time_and_not_before_its_time(store: &dyn Management) {
    let begin = async |holder: &str, now: u64| {
        store.begin_order("a.test", holder, NOW_MS + now, NOW_MS + now + 100).await.unwrap()
    };
    assert_eq!(begin("one", 0).await, Some(0));
    assert_eq!(begin("two", 50).await, None, "somebody is at it");
    assert_eq!(begin("two", 100).await, Some(0), "whoever was at it has died");
    let failed = OrderEnd { wait_until_ms: NOW_MS + 500, failures: 3 };
    store.end_order("a.test", "one", failed).await.unwrap();
    assert_eq!(begin("one", 150).await, None, "the end of another's attempt is not its own");
    store.end_order("a.test", "two", failed).await.unwrap();
    assert_eq!(begin("one", 499).await, None, "too early, for everybody");
    assert_eq!(begin("one", 500).await, Some(3));
    let other = store.begin_order("b.test", "two", NOW_MS, NOW_MS + 1).await.unwrap();
    assert_eq!(other, Some(0), "names do not wait for each other");
}

async fn who_stops_in_between_forgets_no_failure(store: &dyn Management) {
    let begin = async |holder: &str, now: u64| {
        store.begin_order("a.test", holder, NOW_MS + now, NOW_MS + now + 100).await.unwrap()
    };
    assert_eq!(begin("one", 0).await, Some(0));
    let failed = OrderEnd { wait_until_ms: NOW_MS + 500, failures: 3 };
    store.end_order("a.test", "one", failed).await.unwrap();
    store.release_order("a.test", "one", NOW_MS).await.unwrap();
    assert_eq!(begin("one", 499).await, None, "what has ended is not given up");
    assert_eq!(begin("one", 500).await, Some(3));
    store.release_order("a.test", "two", NOW_MS).await.unwrap();
    assert_eq!(begin("two", 550).await, None, "another's attempt is not its own");
    store.release_order("a.test", "one", NOW_MS + 560).await.unwrap();
    assert_eq!(begin("two", 559).await, None, "the wait holds for everybody");
    assert_eq!(begin("two", 560).await, Some(3), "it counts what has failed before, and no more");
    store.release_order("b.test", "one", NOW_MS + 900).await.unwrap();
    let other = store.begin_order("b.test", "two", NOW_MS, NOW_MS + 1).await.unwrap();
    assert_eq!(other, Some(0), "there was nothing to give up");
}
