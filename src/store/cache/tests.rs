//! The promises of the index, against a store that can be held up, made to fail, and altered behind its back.

mod absent;
mod codes;
mod fill;
mod nodes;

use super::*;
use crate::store::conformance::{NOW_MS, fixture, token};
use crate::store::history::{History, Refused, Subject};
use crate::store::import::{Fixture, Imported};
use crate::store::nodes::{NewNode, Node, Nodes, Reading};
use crate::store::sqlite::Sqlite;
use crate::store::{
    Answer, ChangeId, LiveSession, Organization, SigningKey, TokenRecord, TokenRow, Usage, UserRecord,
};
use crate::token::{OrganizationId, Permissions, Role, TokenId};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use tempfile::TempDir;
use tokio::sync::Semaphore;

const T0: Moment = Moment { mono_ns: 1_000_000_000, unix_ms: NOW_MS };

/// A SQLite store whose look-ups of keys can be counted, held up after they read, and made to fail.
#[derive(Debug)]
struct Double {
    store: Sqlite,
    look_ups: AtomicUsize,
    failing: AtomicBool,
    /// No organization in it decodes.
    spoilt: AtomicBool,
    /// So many more readings of a node get no answer.
    silent: AtomicUsize,
    /// It can be read, and nobody can be put on its roll.
    unwritable: AtomicBool,
    /// Look-ups that may answer; more wait, with what they read in hand.
    answers: Semaphore,
    /// Look-ups that have read.
    read: Semaphore,
}

impl Double {
    fn check(&self) -> Result<(), StoreError> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("told to".into()));
        }
        Ok(())
    }

    async fn held_up<T>(&self, answer: Answer<'_, T>) -> Result<T, StoreError> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        let answer = answer.await;
        self.read.add_permits(1);
        self.answers.acquire().await.unwrap().forget();
        answer
    }

    fn look_ups(&self) -> usize {
        self.look_ups.load(Ordering::SeqCst)
    }
}

impl Store for Double {
    fn token_by_digest(&self, digest: Digest) -> Answer<'_, Option<TokenRecord>> {
        Box::pin(self.held_up(self.store.token_by_digest(digest)))
    }
    fn token_by_id<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<TokenRecord>> {
        Box::pin(self.held_up(self.store.token_by_id(id)))
    }
    fn token_rows(&self, after: u64, most: usize) -> Answer<'_, Vec<TokenRow>> {
        self.store.token_rows(after, most)
    }
    fn tokens(&self, rows: Vec<u64>) -> Answer<'_, Vec<TokenRecord>> {
        Box::pin(self.held_up(self.store.tokens(rows)))
    }
    fn organization<'a>(&'a self, id: &'a OrganizationId) -> Answer<'a, Option<Organization>> {
        Box::pin(async move {
            self.check()?;
            if self.spoilt.load(Ordering::SeqCst) {
                return Err(StoreError::Corrupt { table: "organizations", what: "told to be".to_owned() });
            }
            self.store.organization(id).await
        })
    }
    fn user<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<UserRecord>> {
        Box::pin(self.held_up(self.store.user(id)))
    }
    fn live_session<'a>(&'a self, id: &'a str) -> Answer<'a, Option<LiveSession>> {
        Box::pin(self.held_up(self.store.live_session(id)))
    }
    fn import<'a>(&'a self, fixture: &'a Fixture, now_ms: u64) -> Answer<'a, Imported> {
        self.store.import(fixture, now_ms)
    }
    fn newest_change(&self) -> Answer<'_, ChangeId> {
        let checked = self.check();
        Box::pin(async move {
            checked?;
            self.store.newest_change().await
        })
    }
    fn add_usage<'a>(&'a self, journal: &'a str, batch: Vec<Usage>) -> Answer<'a, ()> {
        self.store.add_usage(journal, batch)
    }
    fn add_refusals<'a>(&'a self, journal: &'a str, number: u64, batch: Vec<Refused>) -> Answer<'a, ()> {
        self.store.add_refusals(journal, number, batch)
    }
    fn keep_history(&self, keep: Option<Duration>, now_ms: u64) -> Answer<'_, ()> {
        self.store.keep_history(keep, now_ms)
    }
    fn history<'a>(&'a self, of: &'a Subject, hours: Range<u64>, now_ms: u64) -> Answer<'a, History> {
        self.store.history(of, hours, now_ms)
    }
    fn usage<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<(u64, Option<u64>)>> {
        self.store.usage(id)
    }
    fn forget_journal<'a>(&'a self, journal: &'a str) -> Answer<'a, ()> {
        self.store.forget_journal(journal)
    }
    fn signing_keys(&self, now_ms: u64) -> Answer<'_, Vec<SigningKey>> {
        self.store.signing_keys(now_ms)
    }
    fn add_signing_key<'a>(&'a self, key: SigningKey, older_retire_ms: u64) -> Answer<'a, ()> {
        self.store.add_signing_key(key, older_retire_ms)
    }
    fn expiring(&self, from_ms: u64, until_ms: u64) -> Answer<'_, u64> {
        self.store.expiring(from_ms, until_ms)
    }
}

impl Nodes for Double {
    fn enrol<'a>(&'a self, node: &'a NewNode) -> Answer<'a, ()> {
        if self.unwritable.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Unavailable("told to".into())) });
        }
        self.store.enrol(node)
    }
    fn read_as<'a>(&'a self, node: Option<&'a str>, known: ChangeId) -> Answer<'a, Reading> {
        Box::pin(async move {
            self.check()?;
            let one_less = |left: usize| left.checked_sub(1);
            if self.silent.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                std::future::pending::<()>().await;
            }
            self.store.read_as(node, known).await
        })
    }
    fn tell<'a>(&'a self, node: &'a str, applied: ChangeId, at_ms: u64) -> Answer<'a, ()> {
        self.store.tell(node, applied, at_ms)
    }
    fn nodes(&self) -> Answer<'_, Vec<Node>> {
        self.store.nodes()
    }
    fn doubt<'a>(&'a self, node: &'a str, beats: u64) -> Answer<'a, ()> {
        self.store.doubt(node, beats)
    }
    fn step_back<'a>(&'a self, node: &'a str) -> Answer<'a, ()> {
        self.store.step_back(node)
    }
    fn strike<'a>(&'a self, node: &'a str) -> Answer<'a, ()> {
        self.store.strike(node)
    }
    fn strike_owner<'a>(&'a self, journal: &'a str) -> Answer<'a, ()> {
        self.store.strike_owner(journal)
    }
}

struct Bench {
    folder: Arc<TempDir>,
    double: Arc<Double>,
    tokens: Arc<Tokens>,
}

/// An index opened over an empty store, so that there is nothing to fill it with; then the fixture is imported and followed.
async fn bench(fixture: &Fixture, capacity: usize) -> Bench {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let double = Arc::new(Double {
        store: Sqlite::open(&folder.path().join("a.db")).unwrap(),
        look_ups: AtomicUsize::new(0),
        failing: AtomicBool::new(false),
        spoilt: AtomicBool::new(false),
        silent: AtomicUsize::new(0),
        unwritable: AtomicBool::new(false),
        answers: Semaphore::new(1_000_000_000),
        read: Semaphore::new(0),
    });
    let tokens = Tokens::open(
        double.clone(),
        Journal::open(&folder.path().join("usage")).unwrap(),
        Arc::new(Limiter::new()),
        Options {
            capacity: NonZeroUsize::new(capacity).unwrap(),
            negative_ttl: Duration::from_secs(5),
            max_staleness: Duration::from_secs(5),
        },
        Some("bench".to_owned()),
        tokio::runtime::Handle::current(),
        T0,
    )
    .await
    .unwrap();
    tokens.fill(T0).await.unwrap();
    let bench = Bench { folder, double, tokens };
    bench.import(fixture).await;
    bench
}

impl Bench {
    async fn import(&self, fixture: &Fixture) {
        self.double.store.import(fixture, NOW_MS).await.unwrap();
        self.tokens.synchronise(T0).await.unwrap();
    }

    async fn find(&self, value: &str) -> Option<Arc<Entry>> {
        self.tokens.find(Digest::of(value), T0).await.unwrap()
    }

    fn cached(&self, value: &str) -> Cached {
        self.tokens.cached(ShownKey::new(value), T0)
    }

    fn hold_up(&self) {
        self.double.answers.forget_permits(usize::MAX);
        self.double.read.forget_permits(usize::MAX);
    }

    fn let_go(&self) {
        self.double.answers.add_permits(1_000_000);
    }
}

fn deactivated(mut fixture: Fixture) -> Fixture {
    for token in &mut fixture.organizations[0].tokens {
        token.active = Some(false);
    }
    fixture
}

#[tokio::test]
async fn a_key_is_read_once_and_then_held_under_both_names() {
    let bench = bench(&fixture(), 10).await;
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    let entry = bench.find("ocr_1").await.unwrap();
    let Cached::Hit(hit) = bench.cached("ocr_1") else { panic!() };
    assert!(Arc::ptr_eq(&entry, &hit));
    let Cached::Hit(hit) = bench.tokens.cached_by_id(&entry.record.id, T0) else { panic!() };
    assert!(Arc::ptr_eq(&entry, &hit));
    assert!(entry.organization().project("p-a").is_some());
    assert!(entry.organization().project("p-c").is_none());
    assert_eq!(bench.double.look_ups(), 1);
    let stats = bench.tokens.stats();
    assert_eq!((stats.entries, stats.negatives), (1, 0));
}

#[tokio::test]
async fn a_revocation_during_a_look_up_is_not_undone_by_it() {
    for by_id in [false, true] {
        let bench = bench(&fixture(), 10).await;
        let id = bench.find("ocore_1").await.unwrap().record.id.clone();
        bench.tokens.forget_token(&id, &Digest::of("ocore_1"));
        bench.hold_up();
        let tokens = Arc::clone(&bench.tokens);
        let look_up = tokio::spawn(async move {
            match by_id {
                true => tokens.find_by_id(id, T0).await,
                false => tokens.find(Digest::of("ocore_1"), T0).await,
            }
        });
        // It has read the active record, and has not answered yet.
        bench.double.read.acquire().await.unwrap().forget();
        bench.import(&deactivated(fixture())).await;
        bench.let_go();
        let entry = look_up.await.unwrap().unwrap().unwrap();
        assert!(!entry.record.active, "what was read before the revocation came through");
        let Cached::Hit(held) = bench.cached("ocore_1") else { panic!() };
        assert!(!held.record.active);
        assert_eq!(bench.double.look_ups(), 3, "it must have read again");
    }
}

#[tokio::test]
async fn a_new_key_is_not_kept_unknown_by_a_look_up_that_began_before() {
    let bench = bench(&fixture(), 10).await;
    bench.hold_up();
    let tokens = Arc::clone(&bench.tokens);
    let look_up = tokio::spawn(async move { tokens.find(Digest::of("ocr_late"), T0).await });
    bench.double.read.acquire().await.unwrap().forget();
    let mut more = fixture();
    more.organizations[0].tokens.push(token("ocr_late"));
    bench.import(&more).await;
    bench.let_go();
    assert!(look_up.await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn a_change_reaches_entries_and_those_who_hold_them() {
    let bench = bench(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    assert!(!entry.revoked());
    bench.import(&deactivated(fixture())).await;
    assert!(entry.revoked());
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    assert!(matches!(bench.tokens.cached_by_id(&entry.record.id, T0), Cached::Miss));
    assert!(!bench.find("ocr_1").await.unwrap().record.active);
}

#[tokio::test]
async fn a_thousand_at_once_ask_the_store_once() {
    let bench = bench(&fixture(), 10).await;
    bench.hold_up();
    let finds: Vec<_> = (0..1000)
        .map(|_| {
            let tokens = Arc::clone(&bench.tokens);
            tokio::spawn(async move { tokens.find(Digest::of("ocr_1"), T0).await })
        })
        .collect();
    bench.double.read.acquire().await.unwrap().forget();
    tokio::task::yield_now().await;
    bench.let_go();
    for find in finds {
        assert!(find.await.unwrap().unwrap().is_some());
    }
    assert_eq!(bench.double.look_ups(), 1);
}

#[test]
fn look_ups_from_several_runtimes_share_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bench = control.block_on(bench(&fixture(), 10));
    bench.hold_up();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let tokens = Arc::clone(&bench.tokens);
            std::thread::spawn(move || runtime().block_on(tokens.find(Digest::of("ocr_1"), T0)))
        })
        .collect();
    control.block_on(async { bench.double.read.acquire().await.unwrap().forget() });
    bench.let_go();
    for worker in workers {
        assert!(worker.join().unwrap().unwrap().is_some());
    }
    assert_eq!(bench.double.look_ups(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_remembered_for_its_time() {
    let bench = bench(&fixture(), 10).await;
    assert!(bench.find("ocr_no").await.is_none());
    assert!(matches!(bench.cached("ocr_no"), Cached::Unknown));
    assert!(bench.find("ocr_no").await.is_none());
    assert_eq!(bench.double.look_ups(), 1);
    let later = T0.after(Duration::from_secs(5));
    assert!(matches!(bench.tokens.cached(ShownKey::new("ocr_no"), later), Cached::Miss));
    bench.tokens.sweep(later);
    assert_eq!(bench.tokens.stats().negatives, 0);
    // And is known as soon as it is made.
    assert!(bench.find("ocr_no").await.is_none());
    let mut more = fixture();
    more.organizations[0].tokens.push(token("ocr_no"));
    bench.import(&more).await;
    assert!(matches!(bench.cached("ocr_no"), Cached::Miss));
    assert!(bench.find("ocr_no").await.is_some());
}

#[tokio::test]
async fn a_failing_store_is_an_error_and_never_an_unknown_key() {
    let bench = bench(&fixture(), 10).await;
    bench.double.failing.store(true, Ordering::SeqCst);
    assert!(matches!(bench.tokens.find(Digest::of("ocr_1"), T0).await, Err(LookupError::Store(_))));
    assert!(matches!(bench.tokens.user("u".into(), T0).await, Err(LookupError::Store(_))));
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    bench.double.failing.store(false, Ordering::SeqCst);
    assert!(bench.find("ocr_1").await.is_some());
}

#[tokio::test]
async fn freshness_ends_when_the_store_stops_answering() {
    let bench = bench(&fixture(), 10).await;
    let at = |seconds| T0.after(Duration::from_secs(seconds));
    assert!(bench.tokens.fresh(at(5)) && !bench.tokens.fresh(at(6)));
    bench.double.failing.store(true, Ordering::SeqCst);
    assert!(bench.tokens.synchronise(at(4)).await.is_err());
    assert!(!bench.tokens.fresh(at(6)));
    bench.double.failing.store(false, Ordering::SeqCst);
    bench.tokens.synchronise(at(7)).await.unwrap();
    assert!(bench.tokens.fresh(at(12)) && !bench.tokens.fresh(at(13)));
    assert_eq!(bench.tokens.staleness(at(9)), Duration::from_secs(2));
}

#[tokio::test]
async fn changes_that_could_not_be_applied_are_applied_later() {
    let bench = bench(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    let mut other = fixture();
    other.organizations[0].projects[0].name = "Renamed".to_owned();
    bench.double.store.import(&other, NOW_MS).await.unwrap();
    bench.double.failing.store(true, Ordering::SeqCst);
    assert!(bench.tokens.synchronise(T0).await.is_err());
    bench.double.failing.store(false, Ordering::SeqCst);
    assert_eq!(bench.tokens.synchronise(T0).await.unwrap(), 1);
    assert_eq!(entry.organization().project("p-b").unwrap().name, "Renamed");
}

#[tokio::test]
async fn a_flood_of_unknown_keys_neither_grows_nor_flushes_the_index() {
    let bench = bench(&fixture(), 10).await;
    bench.find("ocr_1").await.unwrap();
    // What look-ups of a million unknown keys leave behind, without a million look-ups.
    for number in 0..1_000_000u32 {
        let mut digest = [7; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        bench.tokens.unknown.insert(Name::Digest(Digest(digest)), u64::MAX);
    }
    for number in 0..2_000 {
        assert!(bench.find(&format!("ocr_unknown_{number}")).await.is_none());
    }
    let stats = bench.tokens.stats();
    assert!(stats.negatives <= NEGATIVE_CAPACITY, "{stats:?}");
    assert_eq!(stats.entries, 1);
    assert!(matches!(bench.cached("ocr_1"), Cached::Hit(_)));
}

fn many(count: usize) -> Fixture {
    let mut fixture = fixture();
    fixture.organizations[0].tokens = (0..count).map(|number| token(&format!("ocr_{number}"))).collect();
    fixture
}

#[tokio::test]
async fn over_capacity_the_keys_in_use_stay() {
    let bench = bench(&many(200), 100).await;
    for number in 0..200 {
        bench.find(&format!("ocr_{number}")).await.unwrap();
    }
    let later = T0.after(Duration::from_secs(1));
    let hot = |number: usize| number % 4 == 1;
    for number in (0..200).filter(|number| hot(*number)) {
        let Cached::Hit(entry) = bench.cached(&format!("ocr_{number}")) else { panic!() };
        entry.count_use(later);
    }
    bench.tokens.sweep(later);
    let entries = bench.tokens.stats().entries;
    assert!((90..=100).contains(&entries), "{entries}");
    assert_eq!(bench.tokens.by_id.len(), entries);
    for number in (0..200).filter(|number| hot(*number)) {
        assert!(matches!(bench.cached(&format!("ocr_{number}")), Cached::Hit(_)), "{number} was in use");
    }
    // What was evicted can be had again, with nothing of its count lost.
    assert!(bench.find("ocr_0").await.is_some());
    let id = bench.find("ocr_0").await.unwrap().record.id.clone();
    bench.tokens.drop_entry(&bench.find("ocr_5").await.unwrap());
    let gone = bench.double.store.token_by_digest(Digest::of("ocr_5")).await.unwrap().unwrap().id;
    assert!(matches!(bench.tokens.cached_by_id(&gone, later), Cached::Miss));
    assert_eq!(bench.tokens.flush_usage_of(&[id, gone, "nobody".into()]).await.unwrap(), 1);
    assert_eq!(bench.tokens.flush_usage().await.unwrap(), 49);
    let id = bench.find("ocr_5").await.unwrap().record.id.clone();
    assert_eq!(bench.double.usage(&id).await.unwrap(), Some((1, Some(later.unix_ms))));
}

#[tokio::test]
async fn entries_held_see_new_projects_of_their_organization() {
    let bench = bench(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    let mut other = fixture();
    other.organizations[0].slug = "renamed".to_owned();
    let mut project = other.organizations[0].projects[0].clone();
    project.id = "p-new".into();
    other.organizations[0].projects.push(project);
    bench.import(&other).await;
    assert!(!entry.revoked());
    let view = entry.organization();
    assert!(view.project("p-new").is_some());
    assert_eq!(view.organization.slug, "renamed");
}

#[tokio::test]
async fn a_role_change_reaches_the_person_and_their_keys() {
    let bench = bench(&fixture(), 10).await;
    let changes = bench.double.changes_after(ChangeId::default()).await.unwrap();
    let person = changes.into_iter().find_map(|change| match change.subject {
        crate::store::ChangeSubject::User(id) => Some(id),
        _ => None,
    });
    let person = person.unwrap();
    let user = bench.tokens.user(person.clone(), T0).await.unwrap().unwrap();
    assert_eq!(user.record.memberships[0].role, Role::Developer.into());
    assert!(bench.find("ocore_1").await.unwrap().record.terms.permissions.allow("manage:servers"));

    let mut other = fixture();
    other.organizations[0].members[0].role = Role::Viewer;
    bench.import(&other).await;
    let kept = &bench.find("ocore_1").await.unwrap().record.terms.permissions;
    assert_eq!(*kept, Permissions::new(["view:servers", "view:roles"]));
    let user = bench.tokens.user(person, T0).await.unwrap().unwrap();
    assert_eq!(user.record.memberships[0].role, Role::Viewer.into());
}

#[tokio::test]
async fn everything_changed_means_everything_is_read_again() {
    let bench = bench(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    assert!(bench.find("ocr_no").await.is_none());
    bench.tokens.forget_everything();
    assert!(entry.revoked());
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    assert!(matches!(bench.cached("ocr_no"), Cached::Miss));
    assert_eq!(bench.tokens.stats().entries, 0);
}

#[tokio::test]
async fn a_stopped_runtime_is_an_error_and_no_deadlock() {
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let handle = other.handle().clone();
    let bench = bench(&fixture(), 10).await;
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::open(
        bench.double.clone(),
        Journal::open(folder.path()).unwrap(),
        Arc::new(Limiter::new()),
        Options { capacity: NonZeroUsize::MIN, ..bench.tokens.options },
        None,
        handle,
        T0,
    )
    .await
    .unwrap();
    other.shutdown_background();
    assert!(matches!(tokens.find(Digest::of("ocr_x"), T0).await, Err(LookupError::Stopped)));
}

#[tokio::test]
async fn a_regenerated_key_s_old_value_goes_with_its_entry() {
    let bench = bench(&fixture(), 10).await;
    let entry = bench.find("ocr_1").await.unwrap();
    // As regenerating does: both values are named, the new one first or last.
    bench.tokens.forget_token(&entry.record.id, &Digest::of("ocr_new_value"));
    assert!(matches!(bench.cached("ocr_1"), Cached::Miss));
    assert!(entry.revoked());
}

#[tokio::test]
async fn more_look_ups_than_the_bound_are_refused_and_not_queued() {
    let bench = bench(&fixture(), 10).await;
    let flights: Vec<_> = {
        let mut gate = bench.tokens.gate.lock();
        (0..16_384).map(|number| gate.depart(Name::Token(number.to_string().into())).1).collect()
    };
    assert!(matches!(bench.tokens.find(Digest::of("ocr_1"), T0).await, Err(LookupError::Overloaded)));
    assert_eq!(flights.len(), 16_384);
}

/// Everything at once: one key is altered over and over, others look it up, count uses, evict and flush. Whoever begins
/// after an alteration was answered must see it, and every use must be in the store in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_is_seen_by_all_who_begin_later() {
    let bench = Arc::new(bench(&fixture(), 1).await);
    let id = bench.find("ocr_1").await.unwrap().record.id.clone();
    let (answered, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut finders = Vec::new();
    for number in 0..4 {
        let (bench, id) = (Arc::clone(&bench), id.clone());
        let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
        finders.push(tokio::spawn(async move {
            let mut uses = 0;
            while !stop.load(Ordering::SeqCst) {
                let before = answered.load(Ordering::SeqCst);
                let cached = match number % 2 {
                    0 => bench.cached("ocr_1"),
                    _ => bench.tokens.cached_by_id(&id, T0),
                };
                let entry = match cached {
                    Cached::Hit(entry) => entry,
                    _ if number % 2 == 0 => bench.find("ocr_1").await.unwrap(),
                    _ => bench.tokens.find_by_id(id.clone(), T0).await.unwrap().unwrap(),
                };
                assert!(entry.record.expires_ms().unwrap() >= before, "an older record came back");
                entry.count_use(T0);
                uses += 1;
                if uses % 64 == 0 {
                    let held = bench.tokens.held(&Digest::of("ocr_1"));
                    held.iter().for_each(|entry| bench.tokens.drop_entry(entry));
                    bench.tokens.flush_usage().await.unwrap();
                }
            }
            uses
        }));
    }
    let mut altered = fixture();
    for round in 1..=150 {
        altered.organizations[0].tokens[0].expires_ms = Some(round);
        bench.import(&altered).await;
        answered.store(round, Ordering::SeqCst);
        assert_eq!(bench.find("ocr_1").await.unwrap().record.expires_ms(), Some(round));
    }
    stop.store(true, Ordering::SeqCst);
    let mut uses = 0;
    for finder in finders {
        uses += finder.await.unwrap();
    }
    bench.tokens.flush_usage().await.unwrap();
    assert_eq!(bench.double.usage(&id).await.unwrap().unwrap().0, uses);
    assert!(bench.double.look_ups() >= 150, "hardly a look-up was needed: {}", bench.double.look_ups());
}
