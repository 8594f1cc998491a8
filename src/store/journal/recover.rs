//! Adds up the journals of processes that ended without doing so themselves.

use super::{EXTENSION, segment};
use crate::store::{Store, StoreError, Usage};
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A journal of which the store has everything; only the store's memory of it is left to be forgotten.
const SETTLED: &str = "settled";

/// Slots that are added up at once: whoever writes meanwhile waits for so many.
const AT_ONCE: usize = 4096;

/// Adds up every journal in `folder` whose owner is gone, and returns how many there were.
///
/// Safe against a crash between any two steps: a journal counts once, whichever step was the last.
///
/// # Errors
/// The store's, or that the folder can not be read ([`StoreError::Unavailable`]); nothing is lost then.
pub async fn recover(folder: &Path, store: &dyn Store) -> Result<usize, StoreError> {
    let mut recovered = 0;
    for path in journals(folder).map_err(failed)? {
        let Some(id) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else { continue };
        if path.extension().is_some_and(|extension| extension == SETTLED) {
            forget(&path, &id, store).await?;
            continue;
        }
        let Some(file) = abandoned(&path).map_err(failed)? else { continue };
        // Its process is gone, and accepts no key: nobody has to wait for it.
        store.strike_owner(&id).await?;
        let bytes = std::fs::read(&path).map_err(failed)?;
        for some in segment::read(&bytes).chunks(AT_ONCE) {
            store.add_usage(&id, some.to_vec()).await?;
        }
        // Forgetting before the file has lost its name would count it twice if we end in between.
        let settled = path.with_extension(SETTLED);
        std::fs::rename(&path, &settled).and_then(|()| File::open(folder)?.sync_all()).map_err(failed)?;
        forget(&settled, &id, store).await?;
        drop(file);
        recovered += 1;
    }
    Ok(recovered)
}

/// What a journal has counted, as far as its file says; how much of that the store has seen is the store's to say.
#[derive(Debug)]
pub struct Counted {
    /// Its name.
    pub id: String,
    /// Of each slot that was ever counted in.
    pub uses: Vec<Usage>,
    path: PathBuf,
}

impl Counted {
    /// Whether nobody has begun to forget it: until then the store knows what it has seen of it.
    pub fn is_there(&self) -> bool {
        self.path.exists()
    }
}

/// What every journal in `folder` has counted, those of living processes too, which go on counting.
///
/// A slot may change hands while it is read. Before that the store has seen all of its total, so that whoever reads the store
/// afterwards finds nothing left in it; only whose it is has to be known for certain.
///
/// # Errors
/// When the folder or a file can not be read.
pub fn counted(folder: &Path) -> io::Result<Vec<Counted>> {
    let mut all = Vec::new();
    for path in
        journals(folder)?.into_iter().filter(|path| path.extension().is_some_and(|it| it == EXTENSION))
    {
        let Some(id) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else { continue };
        let read = || std::fs::read(&path).map(|bytes| segment::read(&bytes));
        let (first, again) = match read().and_then(|first| Ok((first, read()?))) {
            Ok(both) => both,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let rows: HashMap<u32, u64> = again.iter().map(|usage| (usage.slot, usage.row)).collect();
        let uses = first.into_iter().filter(|usage| rows.get(&usage.slot) == Some(&usage.row)).collect();
        all.push(Counted { id, uses, path });
    }
    Ok(all)
}

/// Whether a living process has a journal in `folder`: a gateway runs on this store, on this machine.
///
/// # Errors
/// When the folder can not be read.
pub fn in_use(folder: &Path) -> io::Result<bool> {
    for path in
        journals(folder)?.into_iter().filter(|path| path.extension().is_some_and(|it| it == EXTENSION))
    {
        match File::open(&path).map(|file| file.try_lock_shared()) {
            Ok(Err(TryLockError::WouldBlock)) => return Ok(true),
            Ok(Err(TryLockError::Error(error))) => return Err(error),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(Ok(())) | Err(_) => {}
        }
    }
    Ok(false)
}

async fn forget(settled: &Path, id: &str, store: &dyn Store) -> Result<(), StoreError> {
    store.forget_journal(id).await?;
    match std::fs::remove_file(settled) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn journals(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION || extension == SETTLED) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// The file, locked; `None` when its owner lives, or another process has just recovered it.
fn abandoned(path: &Path) -> io::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(path.exists().then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
