//! Exact through `kill -9`: a real child process is killed, over and over, while it counts.

use super::*;
use crate::clock::Clock;
use crate::store::Store;
use crate::store::conformance::{NOW_MS, fixture};
use crate::store::sqlite::Sqlite;
use crate::token::TokenId;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const NOW: Moment = Moment { mono_ns: 0, unix_ms: NOW_MS };
/// Set for the child: the folder to work in.
const CHILD: &str = "PORTCULLIS_TEST_JOURNAL_CHILD";

struct Bench {
    folder: TempDir,
    store: Sqlite,
    /// The fixture's two keys: id and row.
    keys: [(TokenId, u64); 2],
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
    store.import(&fixture(), NOW_MS).await.unwrap();
    let mut keys = store.tokens(vec![1, 2]).await.unwrap().into_iter().map(|record| (record.id, record.row));
    let keys = [keys.next().unwrap(), keys.next().unwrap()];
    Bench { folder, store, keys }
}

impl Bench {
    fn journals(&self) -> PathBuf {
        self.folder.path().join("usage")
    }

    fn open(&self) -> Journal {
        Journal::open(&self.journals()).unwrap()
    }

    async fn used(&self, key: usize) -> u64 {
        self.store.usage(&self.keys[key].0).await.unwrap().unwrap().0
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.journals()).unwrap().count()
    }
}

#[tokio::test]
async fn uses_are_flushed_once() {
    let bench = bench().await;
    let journal = bench.open();
    let slot = journal.slot(bench.keys[0].1, NOW).unwrap();
    (0..5).for_each(|_| slot.count(NOW));
    assert_eq!(journal.flush(&bench.store).await.unwrap(), 1);
    assert_eq!(journal.flush(&bench.store).await.unwrap(), 0);
    slot.count(NOW);
    journal.flush(&bench.store).await.unwrap();
    assert_eq!(bench.used(0).await, 6);
}

#[tokio::test]
async fn a_slot_under_a_new_key_brings_nothing_along() {
    let bench = bench().await;
    let journal = bench.open();
    let slot = journal.slot(bench.keys[0].1, NOW).unwrap();
    (0..5).for_each(|_| slot.count(NOW));
    let number = slot.number;
    drop(slot);
    // Not flushed: not to be had.
    let other = journal.slot(bench.keys[1].1, NOW).unwrap();
    assert_ne!(other.number, number);
    journal.flush(&bench.store).await.unwrap();
    let again = journal.slot(bench.keys[1].1, NOW).unwrap();
    assert_eq!((again.number, again.last_wanted_ms()), (number, NOW_MS / 1000 * 1000));
    assert_eq!(journal.flush(&bench.store).await.unwrap(), 0);
    again.count(NOW);
    journal.flush(&bench.store).await.unwrap();
    assert_eq!((bench.used(0).await, bench.used(1).await), (5, 1));
}

#[tokio::test]
async fn parts_come_to_all_and_free_only_what_was_sent() {
    let bench = bench().await;
    let journal = bench.open();
    let rows = [bench.keys[1].1, bench.keys[0].1, 100, 101];
    let mut slots: Vec<Slot> = rows.iter().map(|row| journal.slot(*row, NOW).unwrap()).collect();
    slots.iter().for_each(|slot| slot.count(NOW));
    let retired = slots.remove(0).number;
    let part = async |from| {
        let _alone = journal.0.flushing.lock().await;
        journal.flush_part(&bench.store, from, 1).await.unwrap()
    };
    let first = part(0).await;
    assert_eq!((bench.used(0).await, bench.used(1).await), (1, 0));
    // The retired one's uses are of a later part.
    assert_eq!(first.waiting, 1);
    let other = journal.slot(7, NOW).unwrap();
    assert_ne!(other.number, retired);
    // What is counted meanwhile in a row that has had its turn waits for the next time.
    slots[0].count(NOW);
    let second = part(bench.keys[1].1).await;
    assert_eq!((second.slots, second.waiting), (first.slots, 0));
    assert_eq!((bench.used(0).await, bench.used(1).await), (1, 1));
    assert_eq!(journal.slot(8, NOW).unwrap().number, retired);
    assert_eq!(journal.flush_some(&bench.store).await.unwrap().slots, 3);
    assert_eq!(journal.flush(&bench.store).await.unwrap(), 0);
    assert_eq!((bench.used(0).await, bench.used(1).await), (2, 1));
}

#[tokio::test]
async fn the_uses_of_one_key_are_sent_alone_whatever_slots_they_are_in() {
    let bench = bench().await;
    let journal = bench.open();
    let [one, other] = [bench.keys[0].1, bench.keys[1].1];
    let slots = [one, one, other].map(|row| journal.slot(row, NOW).unwrap());
    slots.iter().for_each(|slot| slot.count(NOW));
    drop(slots);
    assert_eq!(journal.flush_rows(&bench.store, &[one].into()).await.unwrap(), 2);
    assert_eq!((bench.used(0).await, bench.used(1).await), (2, 0));
    assert_eq!(journal.flush_rows(&bench.store, &[one, 99].into()).await.unwrap(), 0);
    assert_eq!(journal.flush(&bench.store).await.unwrap(), 1);
    assert_eq!((bench.used(0).await, bench.used(1).await), (2, 1));
}

#[tokio::test]
async fn a_living_journal_is_left_alone_and_a_dead_one_added_up() {
    let bench = bench().await;
    let journal = bench.open();
    let slot = journal.slot(bench.keys[0].1, NOW).unwrap();
    (0..5).for_each(|_| slot.count(NOW));
    assert_eq!(recover(&bench.journals(), &bench.store).await.unwrap(), 0);
    assert_eq!(bench.used(0).await, 0);
    journal.flush(&bench.store).await.unwrap();
    slot.count(NOW);
    drop((slot, journal));
    assert_eq!(recover(&bench.journals(), &bench.store).await.unwrap(), 1);
    assert_eq!((bench.used(0).await, bench.files()), (6, 0));
    assert_eq!(recover(&bench.journals(), &bench.store).await.unwrap(), 0);
    assert_eq!(recover(Path::new("/nowhere"), &bench.store).await.unwrap(), 0);
}

#[tokio::test]
async fn a_recovery_that_was_cut_short_counts_nothing_twice() {
    let bench = bench().await;
    let journal = bench.open();
    let slot = journal.slot(bench.keys[0].1, NOW).unwrap();
    (0..5).for_each(|_| slot.count(NOW));
    let (path, id) = (journal.path().to_owned(), journal.id().to_owned());
    drop((slot, journal));
    // After the first step: added up, still there.
    let bytes = std::fs::read(&path).unwrap();
    bench.store.add_usage(&id, segment::read(&bytes)).await.unwrap();
    let copy = bench.folder.path().join("copy");
    std::fs::copy(&path, &copy).unwrap();
    recover(&bench.journals(), &bench.store).await.unwrap();
    assert_eq!((bench.used(0).await, bench.files()), (5, 0));
    // After the second and third: renamed, forgotten or not.
    std::fs::rename(&copy, path.with_extension("settled")).unwrap();
    recover(&bench.journals(), &bench.store).await.unwrap();
    assert_eq!((bench.used(0).await, bench.files()), (5, 0));
}

#[test]
fn what_was_reserved_is_had_without_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    journal.reserve(2 * SLOTS + 1).unwrap();
    let size = || journal.path().metadata().unwrap().len();
    let reserved = size();
    let slots: Vec<Slot> = (0..3 * SLOTS as u64).map(|row| journal.slot(row, NOW).unwrap()).collect();
    assert_eq!(size(), reserved);
    assert!(slots.iter().zip(0..).all(|(slot, row)| slot.row() == row));
    drop(journal.slot(0, NOW).unwrap());
    assert!(size() > reserved);
}

#[tokio::test]
async fn the_file_grows_by_whole_segments_that_are_on_the_disk() {
    use std::os::unix::fs::MetadataExt;
    let bench = bench().await;
    let journal = bench.open();
    let slots: Vec<Slot> = (0..=SLOTS as u64).map(|row| journal.slot(row, NOW).unwrap()).collect();
    slots[SLOTS].count(NOW);
    let file = journal.path().metadata().unwrap();
    assert_eq!(file.len(), 2 * (SLOTS * segment::SLOT_BYTES) as u64);
    assert!(file.blocks() * 512 >= file.len(), "a hole would be a SIGBUS on a full disk");
    assert_eq!(file.mode() & 0o777, 0o600);
    assert_eq!(journal.flush(&bench.store).await.unwrap(), 1);
}

/// The child: counts on two threads, acknowledges each use with a byte on standard error, flushes all the time, and gives
/// slots back so that they change hands. Never ends by itself.
#[test]
fn child_that_counts_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = PathBuf::from(folder);
    let store = Sqlite::open(&folder.join("a.db")).unwrap();
    let journal = Journal::open(&folder.join("usage")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let keys = runtime.block_on(store.tokens(vec![1, 2])).unwrap();
    for row in [keys[0].row, keys[1].row] {
        let journal = journal.clone();
        std::thread::spawn(move || count(&journal, row));
    }
    loop {
        runtime.block_on(journal.flush(&store)).unwrap();
    }
}

fn count(journal: &Journal, row: u64) {
    let clock = Clock::new();
    let mut slot = journal.slot(row, NOW).unwrap();
    for use_ in 1u64.. {
        slot.count(clock.now());
        // One byte, so that it arrives whole or not at all.
        std::io::stderr().write_all(&[row as u8]).unwrap();
        if use_ % 37 == 0 {
            slot = journal.slot(row, NOW).unwrap();
        }
    }
}

fn start(bench: &Bench) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::journal::tests::child_that_counts_until_it_is_killed", "--nocapture"])
        .env(CHILD, bench.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn sixty_kills_lose_nothing_and_count_nothing_twice() {
    let bench = bench().await;
    let mut counted_at_all = 0;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..60 {
        let before = [bench.used(0).await, bench.used(1).await];
        let mut child = start(&bench);
        let mut pipe = child.stderr.take().unwrap();
        let (counting, begun) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut acknowledged = vec![0];
            let first = pipe.read(&mut acknowledged).unwrap();
            acknowledged.truncate(first);
            let _ = counting.send(());
            pipe.read_to_end(&mut acknowledged).unwrap();
            acknowledged
        });
        // Mostly while it counts, however slowly it starts; now and then while it starts.
        if round % 5 != 4 {
            begun.recv().unwrap();
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(std::time::Duration::from_millis((seed >> 33) % 40));
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = reader.join().unwrap();
        recover(&bench.journals(), &bench.store).await.unwrap();
        for (key, before) in before.into_iter().enumerate() {
            let row = bench.keys[key].1 as u8;
            let acknowledged = acknowledged.iter().filter(|byte| **byte == row).count() as u64;
            let counted = bench.used(key).await - before;
            // One use per thread may have been counted and not yet acknowledged.
            let exact = acknowledged..=acknowledged + 1;
            assert!(
                exact.contains(&counted),
                "round {round}: {counted} counted, {acknowledged} acknowledged"
            );
            counted_at_all += counted;
        }
        assert_eq!(bench.files(), 0);
    }
    assert!(counted_at_all > 1000, "the children hardly got to count: {counted_at_all}");
}

#[tokio::test]
async fn a_journal_is_in_use_while_its_owner_lives() {
    let bench = bench().await;
    assert!(!in_use(&bench.journals()).unwrap(), "there is no folder yet");
    let journal = bench.open();
    assert!(in_use(&bench.journals()).unwrap());
    drop(journal);
    assert!(!in_use(&bench.journals()).unwrap());
    // The look itself holds nothing.
    let again = bench.open();
    assert!(in_use(&bench.journals()).unwrap());
    drop(again);
}
