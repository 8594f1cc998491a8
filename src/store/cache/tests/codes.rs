//! The promises of the table of codes: it serves what the index would, and nothing that has left it.

use super::*;

/// The code of a key, and whether the table of codes alone has it.
fn by_code(bench: &Bench, value: &str) -> Option<Arc<Entry>> {
    bench.tokens.codes.find(bench.tokens.codes.of(value.as_bytes()))
}

/// The same key as another entry.
fn again(tokens: &Tokens, entry: &Entry, version: u64) -> Arc<Entry> {
    let held = &entry.record;
    let record = TokenRecord {
        terms: Arc::new((**held.terms).clone()),
        expires_ms: held.expires_ms(),
        active: held.active,
        version,
        retiring: held.retiring,
        id: held.id.clone(),
        digest: held.digest,
        row: entry.row(),
        name: Box::default(),
    };
    let slot = tokens.journal.slot(record.row, T0).unwrap();
    Arc::new(Entry::new(record, Arc::clone(&held.terms), Arc::clone(&entry.bucket), slot).unwrap())
}

#[tokio::test]
async fn a_key_that_was_found_is_found_by_its_code() {
    let bench = bench(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    assert!(by_code(&bench, "ocr_1").is_none());
    for _ in 0..2 {
        let Cached::Hit(hit) = bench.cached("ocr_1") else { panic!() };
        assert!(Arc::ptr_eq(&entry, &hit));
        assert!(Arc::ptr_eq(&entry, &by_code(&bench, "ocr_1").unwrap()));
    }
    assert!(by_code(&bench, "ocr_2").is_none());
    assert!(matches!(bench.cached("ocr_2"), Cached::Miss));
    assert_eq!(bench.tokens.codes.len(), 1);
}

#[tokio::test]
async fn whatever_way_a_key_leaves_its_code_does_not_find_it() {
    type Way = fn(&Tokens, &Arc<Entry>);
    let ways: [(&str, Way); 5] = [
        ("altered", |tokens, entry| tokens.forget_token(&entry.record.id, &entry.record.digest)),
        ("regenerated", |tokens, entry| tokens.forget_token(&entry.record.id, &Digest::of("ocr_new_value"))),
        ("evicted", |tokens, entry| tokens.drop_entry(entry)),
        ("all forgotten", |tokens, _| tokens.forget_everything()),
        ("read again", |tokens, entry| {
            let again = again(tokens, entry, entry.record.version());
            tokens.enter(&mut tokens.gate.lock(), &again);
        }),
    ];
    for (way, leave) in ways {
        let bench = bench(&fixture(), 10).await;
        let entry = bench.find("ocr_1").await.unwrap();
        assert!(matches!(bench.cached("ocr_1"), Cached::Hit(_)));
        leave(&bench.tokens, &entry);
        assert!(entry.revoked(), "{way}");
        assert!(by_code(&bench, "ocr_1").is_none(), "{way}");
        assert_eq!(bench.tokens.codes.len(), 0, "{way}: nothing of it is kept");
        // A worker that found it before is late to enter its code.
        let code = bench.tokens.codes.of(b"ocr_1");
        bench.tokens.remember(code, &entry);
        assert!(by_code(&bench, "ocr_1").is_none(), "{way}");
        assert_eq!(bench.tokens.codes.len(), 0, "{way}");
        if let Cached::Hit(hit) = bench.cached("ocr_1") {
            assert!(!Arc::ptr_eq(&entry, &hit), "{way}");
        }
    }
}

#[tokio::test]
async fn a_revoked_entry_in_the_table_is_not_found() {
    let bench = bench(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    assert!(matches!(bench.cached("ocr_1"), Cached::Hit(_)));
    entry.revoke();
    assert_eq!(bench.tokens.codes.len(), 1);
    assert!(by_code(&bench, "ocr_1").is_none());
}

#[tokio::test]
async fn codes_grow_with_the_keys_and_are_never_more() {
    const KEYS: usize = 6_000;
    let bench = bench(&many(KEYS), KEYS / 2).await;
    let value = |number: usize| format!("ocr_{number}");
    for round in 0..3 {
        for number in 0..KEYS {
            bench.find(&value(number)).await.unwrap();
            assert!(matches!(bench.cached(&value(number)), Cached::Hit(_)));
        }
        // Room for a few is missing in the first round: the table began small.
        let coded = bench.tokens.codes.len();
        assert!(coded <= KEYS && coded > if round == 0 { 3_000 } else { KEYS * 99 / 100 }, "{coded}");
        bench.tokens.codes.fit(&bench.tokens.gate, KEYS);
    }
    for number in 0..KEYS {
        let Cached::Hit(entry) = bench.cached(&value(number)) else { panic!() };
        assert_eq!(entry.record.digest, Digest::of(&value(number)));
    }
    bench.tokens.sweep(T0);
    let entries = bench.tokens.stats().entries;
    assert!(entries <= KEYS / 2);
    assert!(bench.tokens.codes.len() <= entries);
}

/// Threads that look keys up by their text, while the keys are altered one after the other: whoever begins after an
/// alteration was answered does not get what was before it, by whatever index.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_thread_is_served_what_was_revoked_before_it_asked() {
    let bench = Arc::new(bench(&many(8), 100).await);
    let generation: Arc<Vec<AtomicU64>> = Arc::new((0..8).map(|_| AtomicU64::new(0)).collect());
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (bench, generation, stop) = (Arc::clone(&bench), Arc::clone(&generation), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut hits = 0u64;
                while !stop.load(Ordering::SeqCst) {
                    for (number, generation) in generation.iter().enumerate() {
                        let least = generation.load(Ordering::SeqCst);
                        if let Cached::Hit(entry) = bench.cached(&format!("ocr_{number}")) {
                            assert!(entry.record.version() >= least, "key {number}");
                            assert_eq!(entry.record.digest, Digest::of(&format!("ocr_{number}")));
                            hits += 1;
                        }
                    }
                }
                hits
            })
        })
        .collect();
    for version in 1..=20_000 {
        let number = version as usize % 8;
        let entry = bench.tokens.held(&Digest::of(&format!("ocr_{number}")));
        let entry = match entry {
            Some(entry) => entry,
            None => bench.find(&format!("ocr_{number}")).await.unwrap(),
        };
        let next = again(&bench.tokens, &entry, version);
        bench.tokens.forget_token(&entry.record.id, &entry.record.digest);
        generation[number].store(version, Ordering::SeqCst);
        bench.tokens.enter(&mut bench.tokens.gate.lock(), &next);
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
    assert!(bench.tokens.codes.len() <= 8);
}
