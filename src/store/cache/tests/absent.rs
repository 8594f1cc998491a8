//! Which values are taken for good ones although they are not held.

use super::*;

fn heard_of(bench: &Bench, key: &str) -> bool {
    bench.tokens.heard_of(&Digest::of(key))
}

#[tokio::test]
async fn what_was_altered_or_evicted_is_heard_of_and_what_was_made_up_is_not() {
    let bench = bench(&fixture(), 10).await;
    bench.find("ocr_1").await.unwrap();
    assert!(heard_of(&bench, "ocr_1"), "it is held");
    assert!(bench.find("ocr_no").await.is_none());
    assert!(!heard_of(&bench, "ocr_no"));

    bench.import(&deactivated(fixture())).await;
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    assert!(heard_of(&bench, "ocr_1"), "altered, and not loaded again");
    let entry = bench.find("ocr_1").await.unwrap();
    assert!(bench.tokens.absent.get(&Digest::of("ocr_1")).is_none(), "it takes no room while it is held");
    bench.tokens.drop_entry(&entry);
    assert!(heard_of(&bench, "ocr_1"), "it had to make room");
    bench.find("ocr_1").await.unwrap();
    bench.tokens.forget_everything();
    assert!(heard_of(&bench, "ocr_1"));
}

#[tokio::test]
async fn a_new_key_is_heard_of_before_it_is_loaded() {
    let bench = bench(&fixture(), 10).await;
    let mut more = fixture();
    more.organizations[0].tokens.push(token("ocr_late"));
    bench.import(&more).await;
    assert!(matches!(bench.cached("ocr_late"), Cached::Miss));
    assert!(heard_of(&bench, "ocr_late"));
}

#[tokio::test]
async fn what_the_store_has_not_any_more_is_forgotten_when_it_was_asked_for() {
    let bench = bench(&fixture(), 10).await;
    // As deleting does: the value is named, and then it is not there.
    bench.tokens.forget_token(&"t-gone".into(), &Digest::of("ocr_gone"));
    assert!(heard_of(&bench, "ocr_gone"));
    assert!(bench.find("ocr_gone").await.is_none());
    assert!(!heard_of(&bench, "ocr_gone"));
}

#[tokio::test]
async fn what_is_heard_of_has_a_bound() {
    let bench = bench(&fixture(), 10).await;
    for number in 0..2 * ABSENT_CAPACITY as u64 {
        let mut digest = [7; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        bench.tokens.absent.insert(Digest(digest), ());
    }
    assert!(bench.tokens.absent.len() <= ABSENT_CAPACITY);
}
