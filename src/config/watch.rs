//! Says when one of some files has changed, its certificates and secrets included.
//!
//! Two things look: the system's notifications, on the folders and not on the files, because editors write a new file
//! and rename it, and Kubernetes swaps a symlink named `..data` beside them; and once a second a look at the files
//! themselves, because notifications do not arrive from every file system, nor from a single file mounted into a
//! container. A change is told 250 ms after the last sign of it: in the middle of a save the file is half a file.

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long it must have been quiet before a change is told.
const QUIET: Duration = Duration::from_millis(250);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    task: JoinHandle<()>,
}

impl Watcher {
    /// Stops watching.
    pub fn stop(self) {}
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to watch `files`; must be called inside a Tokio runtime. A message in the receiver says that at least one
/// file has changed since the last message, or is not as `seen` has it; several changes are one message. The caller reads the files again, and
/// starts a new watcher if they are others now.
pub fn watch(files: Vec<PathBuf>, seen: &Prints) -> (Watcher, mpsc::Receiver<()>) {
    // One waiting message says all that a second one could.
    let (changed, receiver) = mpsc::channel(1);
    // A file that was not seen counts as one that was not there.
    let seen = files.iter().map(|file| seen.0.get(file).cloned().flatten()).collect();
    let task = tokio::spawn(run(files, seen, changed));
    (Watcher { task }, receiver)
}

async fn run(files: Vec<PathBuf>, mut told: Vec<Option<Print>>, changed: mpsc::Sender<()>) {
    let (sign, mut signs) = mpsc::channel(1);
    // Kept alive here; without notifications the poll still guarantees that changes are seen.
    let _notifications = notifications(&files, sign);
    let mut notified = true;
    loop {
        if notified {
            tokio::select! {
                sign = signs.recv() => notified = sign.is_some(),
                () = tokio::time::sleep(POLL) => {}
            }
        } else {
            tokio::time::sleep(POLL).await;
        }
        let mut now = prints(&files);
        if now == told {
            continue;
        }
        // The trailing edge: wait until a whole quiet period has passed without a further change.
        loop {
            tokio::time::sleep(QUIET).await;
            let later = prints(&files);
            if later == now {
                break;
            }
            now = later;
        }
        if now != told {
            told = now;
            match changed.try_send(()) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(())) => {}
                Err(mpsc::error::TrySendError::Closed(())) => return,
            }
        }
    }
}

fn notifications(files: &[PathBuf], sign: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let on_event = move |_: notify::Result<notify::Event>| {
        // Full means that a look is due already.
        let _ = sign.try_send(());
    };
    let mut watcher = notify::recommended_watcher(on_event).ok()?;
    let folder = |file: &PathBuf| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let folders: BTreeSet<PathBuf> = files.iter().map(folder).collect();
    for folder in folders {
        // A folder that is not there, or one too many for the system, is left to the poll.
        let _ = watcher.watch(&folder, RecursiveMode::NonRecursive);
    }
    Some(watcher)
}

/// How files were at one time; tells whether they have changed since.
#[derive(Clone, Debug, Default)]
pub struct Prints(BTreeMap<PathBuf, Option<Print>>);

impl Prints {
    /// As they are now.
    pub fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let seen = |file: PathBuf| {
            let print = print(&file);
            (file, print)
        };
        Self(files.into_iter().map(seen).collect())
    }
}

/// What tells two states of a file apart without reading it. Symlinks are followed to what they name, so a swapped
/// link is a change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Print {
    target: Option<PathBuf>,
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

fn prints(files: &[PathBuf]) -> Vec<Option<Print>> {
    files.iter().map(|file| print(file)).collect()
}

fn print(file: &Path) -> Option<Print> {
    let metadata = std::fs::metadata(file).ok()?;
    Some(Print {
        target: file.canonicalize().ok(),
        modified: metadata.modified().ok(),
        length: metadata.len(),
        inode: inode(&metadata),
    })
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const SOON: Duration = Duration::from_secs(10);

    async fn told(receiver: &mut mpsc::Receiver<()>) {
        tokio::time::timeout(SOON, receiver.recv()).await.expect("no change was told").unwrap();
    }

    async fn quiet(receiver: &mut mpsc::Receiver<()>) {
        assert!(
            tokio::time::timeout(Duration::from_millis(1_500), receiver.recv()).await.is_err(),
            "a change was told"
        );
    }

    #[tokio::test]
    async fn writes_renames_and_deletions_are_told_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "one").unwrap();
        let (watcher, mut receiver) = watch(vec![file.clone()], &Prints::of([file.clone()]));
        quiet(&mut receiver).await;
        for part in ["t", "tw", "two parts"] {
            std::fs::write(&file, part).unwrap();
        }
        told(&mut receiver).await;
        quiet(&mut receiver).await;
        let new = folder.path().join(".a.yaml.swp");
        std::fs::write(&new, "three").unwrap();
        std::fs::rename(&new, &file).unwrap();
        told(&mut receiver).await;
        std::fs::remove_file(&file).unwrap();
        told(&mut receiver).await;
        std::fs::write(&file, "back").unwrap();
        told(&mut receiver).await;
        watcher.stop();
        std::fs::write(&file, "unseen").unwrap();
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn what_has_changed_before_anybody_watched_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "one").unwrap();
        let seen = Prints::of([file.clone()]);
        std::fs::write(&file, "and two").unwrap();
        let (_watcher, mut receiver) = watch(vec![file], &seen);
        told(&mut receiver).await;
    }

    #[tokio::test]
    async fn a_swapped_data_link_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            std::fs::create_dir(path(version)).unwrap();
            std::fs::write(path(version).join("a.yaml"), "same length").unwrap();
        }
        symlink("v1", path("..data")).unwrap();
        symlink("..data/a.yaml", path("a.yaml")).unwrap();
        let (_watcher, mut receiver) = watch(vec![path("a.yaml")], &Prints::of([path("a.yaml")]));
        symlink("v2", path("..data_tmp")).unwrap();
        std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
        told(&mut receiver).await;
    }
}
