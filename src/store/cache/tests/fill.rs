//! Filling the index while it is used: nothing that was taken away comes back by it.

use super::*;

/// An index over a store that had its keys before, and is not filled yet.
async fn unfilled(fixture: &Fixture, capacity: usize) -> Bench {
    let bench = bench(&Fixture::default(), capacity).await;
    bench.double.store.import(fixture, NOW_MS).await.unwrap();
    let tokens = Tokens::open(
        bench.double.clone(),
        Journal::open(&bench.folder.path().join("usage")).unwrap(),
        Arc::new(Limiter::new()),
        bench.tokens.options,
        None,
        tokio::runtime::Handle::current(),
        T0,
    );
    Bench { tokens: tokens.await.unwrap(), ..bench }
}

/// Has [`Tokens::fill`] read keys, alters them by `alter`, and only then has it enter what it has read.
async fn altered_meanwhile(bench: &Bench, alter: impl AsyncFnOnce()) {
    bench.hold_up();
    let tokens = Arc::clone(&bench.tokens);
    let filling = tokio::spawn(async move { tokens.fill(T0).await });
    bench.double.read.acquire().await.unwrap().forget();
    alter().await;
    bench.let_go();
    filling.await.unwrap().unwrap();
}

#[tokio::test]
async fn it_brings_in_what_there_is() {
    let bench = unfilled(&fixture(), 10).await;
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    assert!(!bench.tokens.stats().filled);
    assert_eq!(bench.tokens.fill(T0).await.unwrap(), 2);
    bench.tokens.filled().await;
    assert!(bench.tokens.stats().filled);
    let Cached::Hit(entry) = bench.cached("ocr_1") else { panic!() };
    assert!(matches!(bench.tokens.cached_by_id(&entry.record.id, T0), Cached::Hit(_)));
    assert!(matches!(bench.cached("ocore_1"), Cached::Hit(_)));
    assert_eq!(bench.tokens.synchronise(T0).await.unwrap(), 0);
}

#[tokio::test]
async fn a_key_that_has_not_come_yet_is_looked_up_and_stays() {
    let bench = unfilled(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    bench.tokens.fill(T0).await.unwrap();
    let Cached::Hit(held) = bench.cached("ocr_1") else { panic!() };
    assert!(Arc::ptr_eq(&entry, &held), "whoever holds it is not told to ask again");
    assert!(!entry.revoked());
    assert_eq!(bench.tokens.stats().entries, 2);
}

#[tokio::test]
async fn a_revocation_after_it_was_read_is_not_undone() {
    let bench = unfilled(&fixture(), 10).await;
    altered_meanwhile(&bench, async || bench.import(&deactivated(fixture())).await).await;
    for key in ["ocr_1", "ocore_1"] {
        let Cached::Hit(entry) = bench.cached(key) else { panic!("{key} was not read again") };
        assert!(!entry.record.active, "what was read before the revocation came through");
    }
}

/// The change is in the store, and not yet heard of: what was read before it may be entered, until it is heard of.
#[tokio::test]
async fn a_change_that_is_heard_of_later_takes_away_what_was_read_before_it() {
    let bench = unfilled(&fixture(), 10).await;
    altered_meanwhile(&bench, async || {
        bench.double.store.import(&deactivated(fixture()), NOW_MS).await.unwrap();
    })
    .await;
    bench.tokens.synchronise(T0).await.unwrap();
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    assert!(!bench.find("ocr_1").await.unwrap().record.active);
}

#[tokio::test]
async fn everything_changed_meanwhile_means_that_everything_is_read_again() {
    let bench = unfilled(&fixture(), 10).await;
    altered_meanwhile(&bench, async || {
        bench.double.store.import(&deactivated(fixture()), NOW_MS).await.unwrap();
        bench.tokens.forget_everything();
    })
    .await;
    let Cached::Hit(entry) = bench.cached("ocr_1") else { panic!() };
    assert!(!entry.record.active);
}

/// A value that was regenerated away, while both the old record and the new one have been read by somebody.
#[tokio::test]
async fn what_was_looked_up_meanwhile_wins_over_what_was_read_before() {
    let bench = unfilled(&fixture(), 10).await;
    let record = bench.double.store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
    let mut regenerated = record.clone();
    (regenerated.digest, regenerated.version) = (Digest::of("ocr_new_value"), record.version + 1);
    let organization = bench.tokens.organization(&record.terms.organization).await.unwrap().unwrap();
    let entry = Arc::new(bench.tokens.entry(regenerated, organization, T0).unwrap());
    altered_meanwhile(&bench, async || {
        bench.tokens.enter(&mut bench.tokens.gate.lock(), &entry);
    })
    .await;
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    let Cached::Hit(held) = bench.tokens.cached_by_id(&record.id, T0) else { panic!() };
    assert!(Arc::ptr_eq(&entry, &held));
}

#[tokio::test]
async fn no_more_are_brought_in_than_there_is_room_for_and_those_used_last_come_first() {
    const KEYS: usize = 3_000;
    let bench = unfilled(&many(KEYS), KEYS / 3).await;
    let record = async |number: usize| {
        let digest = Digest::of(&format!("ocr_{number}"));
        bench.double.store.token_by_digest(digest).await.unwrap().unwrap()
    };
    let journal = Journal::open(&bench.folder.path().join("another")).unwrap();
    let used = |number: &usize| number % 7 == 3;
    for number in (0..KEYS).filter(used) {
        journal.slot(record(number).await.row, T0).unwrap().count(T0);
    }
    journal.flush(&*bench.double).await.unwrap();
    bench.tokens.fill(T0).await.unwrap();
    let entries = bench.tokens.stats().entries;
    assert!((KEYS / 3..KEYS / 3 + 2 * 1024).contains(&entries), "{entries}");
    for number in (0..KEYS).filter(used) {
        assert!(matches!(bench.cached(&format!("ocr_{number}")), Cached::Hit(_)), "{number}");
    }
}

#[tokio::test]
async fn as_long_as_it_lasts_nobody_is_taken_for_a_stranger() {
    let bench = unfilled(&fixture(), 10).await;
    assert!(bench.tokens.heard_of(&Digest::of("ocr_1")));
    bench.tokens.fill(T0).await.unwrap();
    assert!(bench.tokens.heard_of(&Digest::of("ocr_1")), "it is held");
    assert!(!bench.tokens.heard_of(&Digest::of("ocr_no")));
}

#[tokio::test]
async fn a_key_that_does_not_decode_is_left_out_and_the_others_come() {
    let bench = unfilled(&many(50), 100).await;
    let db = rusqlite::Connection::open(bench.folder.path().join("a.db")).unwrap();
    db.execute("UPDATE tokens SET permissions = 'none' WHERE \"row\" = 7", []).unwrap();
    db.execute("UPDATE tokens SET digest = x'00' WHERE \"row\" = 9", []).unwrap();
    db.execute("UPDATE tokens SET name = CAST(x'ff' AS TEXT) WHERE \"row\" = 11", []).unwrap();
    db.execute("UPDATE tokens SET last_used_ms = -1 WHERE \"row\" = 13", []).unwrap();
    let left = bench.tokens.fill(T0).await.unwrap();
    assert!((46..=48).contains(&left), "{left}");
    assert!(bench.tokens.stats().filled);
}

#[tokio::test]
async fn strangers_are_told_from_keys_to_come_for_a_while_only() {
    let bench = unfilled(&fixture(), 10).await;
    bench.double.failing.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(bench.tokens.heard_of(&Digest::of("ocr_no")));
        assert!(bench.tokens.fill(T0).await.is_err());
    }
    assert!(!bench.tokens.heard_of(&Digest::of("ocr_no")));
}

#[tokio::test]
async fn a_store_that_fails_leaves_what_has_come_and_is_asked_again() {
    let bench = unfilled(&fixture(), 10).await;
    bench.double.failing.store(true, Ordering::SeqCst);
    assert!(bench.tokens.fill(T0).await.is_err());
    assert!(!bench.tokens.stats().filled);
    bench.double.failing.store(false, Ordering::SeqCst);
    assert_eq!(bench.tokens.fill(T0).await.unwrap(), 2);
}

/// Keys that are altered one after the other while the index is filled over and over: whoever begins after an alteration was
/// answered does not see what was before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_filling_brings_back_what_was_revoked_before_somebody_asked() {
    let bench = Arc::new(unfilled(&many(8), 100).await);
    let answered: Arc<Vec<AtomicU64>> = Arc::new((0..8).map(|_| AtomicU64::new(0)).collect());
    let stop = Arc::new(AtomicBool::new(false));
    let filler = {
        let (bench, stop) = (Arc::clone(&bench), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut fillings = 0;
            while !stop.load(Ordering::SeqCst) {
                bench.tokens.fill(T0).await.unwrap();
                fillings += 1;
            }
            fillings
        })
    };
    let reader = {
        let (bench, answered, stop) = (Arc::clone(&bench), Arc::clone(&answered), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut hits = 0;
            while !stop.load(Ordering::SeqCst) {
                for (number, answered) in answered.iter().enumerate() {
                    let least = answered.load(Ordering::SeqCst);
                    if let Cached::Hit(entry) = bench.cached(&format!("ocr_{number}")) {
                        assert!(entry.record.expires_ms().unwrap() >= least, "an older record came back");
                        hits += 1;
                    }
                }
            }
            hits
        })
    };
    let mut altered = many(8);
    for round in 1..=200 {
        altered.organizations[0].tokens[round as usize % 8].expires_ms = Some(round);
        bench.import(&altered).await;
        answered[round as usize % 8].store(round, Ordering::SeqCst);
    }
    stop.store(true, Ordering::SeqCst);
    assert!(filler.await.unwrap() > 0);
    assert!(reader.join().unwrap() > 0);
}
