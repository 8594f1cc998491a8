//! The index as a node: it is relied upon as long as the roll says so, and no longer.

use super::*;

impl Bench {
    async fn roll(&self) -> Vec<Node> {
        self.double.store.nodes().await.unwrap()
    }

    async fn id(&self) -> Box<str> {
        self.tokens.position().await.node.unwrap()
    }
}

fn later(s: u64) -> Moment {
    T0.after(Duration::from_secs(s))
}

#[tokio::test]
async fn it_is_on_the_roll_from_the_beginning() {
    let bench = bench(&fixture(), 10).await;
    let [node] = bench.roll().await.try_into().unwrap();
    assert_eq!((node.id, node.lease, node.doubted), (bench.id().await, Duration::from_secs(5), false));
}

#[tokio::test]
async fn who_is_doubted_joins_anew_and_reads_again() {
    let bench = bench(&fixture(), 10).await;
    let first = bench.id().await;
    bench.double.store.doubt(&first, 0).await.unwrap();
    bench.tokens.synchronise(later(4)).await.unwrap();
    assert!(bench.tokens.fresh(later(9)));
    assert_ne!(bench.id().await, first);
    let [node] = bench.roll().await.try_into().unwrap();
    assert!(!node.doubted && node.id == bench.id().await);
}

#[tokio::test]
async fn a_reading_without_a_place_on_the_roll_proves_nothing() {
    let bench = bench(&fixture(), 10).await;
    bench.double.store.doubt(&bench.id().await, 0).await.unwrap();
    bench.double.unwritable.store(true, Ordering::SeqCst);
    // Whoever can read and not write can not join again.
    assert!(bench.tokens.synchronise(later(4)).await.is_err());
    assert!(bench.tokens.fresh(later(5)));
    assert!(!bench.tokens.fresh(later(6)));
    bench.double.unwritable.store(false, Ordering::SeqCst);
    bench.tokens.synchronise(later(7)).await.unwrap();
    assert!(bench.tokens.fresh(later(7)));
}

#[tokio::test]
async fn a_reading_that_gets_no_answer_is_asked_for_once_more() {
    let bench = bench(&fixture(), 10).await;
    bench.double.silent.store(1, Ordering::SeqCst);
    bench.tokens.synchronise(later(4)).await.unwrap();
    assert!(bench.tokens.fresh(later(9)));
    assert_eq!(bench.double.silent.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_organization_that_can_not_be_read_costs_its_own_keys_alone() {
    let bench = bench(&fixture(), 10).await;
    assert!(bench.find("ocr_1").await.is_some());
    let mut more = fixture();
    more.organizations[0].name = "renamed".to_owned();
    bench.double.store.import(&more, NOW_MS).await.unwrap();
    bench.double.spoilt.store(true, Ordering::SeqCst);
    bench.tokens.synchronise(later(4)).await.unwrap();
    assert!(bench.tokens.fresh(later(9)), "it has followed");
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    assert!(bench.tokens.find(Digest::of("ocr_1"), T0).await.is_err());
    bench.double.spoilt.store(false, Ordering::SeqCst);
    let name = async || bench.find("ocr_1").await.unwrap().organization().organization.name.clone();
    assert_eq!(name().await, "renamed");
    more.organizations[0].name = "again".to_owned();
    bench.import(&more).await;
    assert_eq!(name().await, "again", "it is followed as before");
}

#[tokio::test]
async fn what_changed_is_applied_though_it_was_doubted() {
    let bench = bench(&fixture(), 10).await;
    let before = bench.tokens.position().await.change;
    bench.double.store.doubt(&bench.id().await, 0).await.unwrap();
    let mut more = fixture();
    more.organizations[0].tokens.push(token("ocr_more"));
    bench.double.store.import(&more, NOW_MS).await.unwrap();
    bench.double.unwritable.store(true, Ordering::SeqCst);
    assert!(bench.tokens.synchronise(later(1)).await.is_err());
    let newest = bench.double.store.newest_change().await.unwrap();
    assert!(newest.sequence > before.sequence);
    assert_eq!(bench.tokens.position().await.change, newest);
}

#[tokio::test]
async fn what_is_told_of_a_change_that_the_store_does_not_have_is_not_taken_down() {
    let bench = bench(&fixture(), 10).await;
    let (store, node) = (&bench.double.store, bench.id().await);
    let known = store.newest_change().await.unwrap();
    let other = ChangeId { mark: known.mark ^ 1, ..known };
    store.tell(&node, other, 1).await.unwrap();
    let [told] = bench.roll().await.try_into().unwrap();
    assert_eq!((told.applied, told.beats), (0, 1), "it is there all the same");
    store.tell(&node, known, 2).await.unwrap();
    let [told] = bench.roll().await.try_into().unwrap();
    assert_eq!((told.applied, told.beats), (known.sequence, 2));
}

#[tokio::test]
async fn who_has_left_is_never_relied_upon_again() {
    let bench = bench(&fixture(), 10).await;
    bench.tokens.leave_roll().await.unwrap();
    // Every clock has gone for an hour when it begins.
    assert!(!bench.tokens.fresh(later(3600)));
    bench.tokens.synchronise(later(3600)).await.unwrap();
    assert!(!bench.tokens.fresh(later(3600)));
    assert_eq!(bench.roll().await, []);
}

#[tokio::test]
async fn the_first_one_steps_back_for_the_next() {
    let bench = bench(&fixture(), 10).await;
    assert!(bench.tokens.is_first(T0));
    let next = Tokens::open(
        bench.double.clone(),
        Journal::open(&bench.folder.path().join("usage")).unwrap(),
        Arc::new(Limiter::new()),
        bench.tokens.options,
        Some("next".to_owned()),
        tokio::runtime::Handle::current(),
        T0,
    );
    let next = next.await.unwrap();
    next.synchronise(T0).await.unwrap();
    assert!(!next.is_first(T0));
    bench.tokens.step_back().await.unwrap();
    assert!(!bench.tokens.is_first(T0));
    bench.tokens.synchronise(T0).await.unwrap();
    next.synchronise(T0).await.unwrap();
    assert!(next.is_first(T0) && !bench.tokens.is_first(T0));
    // Not for longer than it may accept keys.
    assert!(!next.is_first(later(6)));
}

#[tokio::test]
async fn a_silent_first_one_is_first_until_it_is_struck() {
    let bench = bench(&fixture(), 10).await;
    let silent = bench.id().await;
    let next = NewNode {
        id: "next".into(),
        journal: "j".to_owned(),
        name: "next".to_owned(),
        version: "1".to_owned(),
        lease: Duration::from_secs(5),
        joined_ms: 0,
    };
    let store = &bench.double.store;
    store.enrol(&next).await.unwrap();
    store.doubt(&silent, 0).await.unwrap();
    assert!(!store.read_as(Some("next"), ChangeId::default()).await.unwrap().first);
    store.strike(&silent).await.unwrap();
    assert!(store.read_as(Some("next"), ChangeId::default()).await.unwrap().first);
}
